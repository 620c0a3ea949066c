//! The `etl-orch` binary.

fn main() -> std::process::ExitCode {
    etl_orch::cli::main(env!("ETL_ORCH_VERSION"))
}
