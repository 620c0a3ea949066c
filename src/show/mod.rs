//! What people read. Only this room prints.

pub mod escape;
mod json;
pub mod logs;
pub mod progress;
mod stream;
mod summary;
#[cfg(test)]
mod tests;

pub use json::run_as_json;
pub use stream::{diagnose, out};
pub use summary::run_as_text;
