//! The `etl-orch` binary.

fn main() {}
