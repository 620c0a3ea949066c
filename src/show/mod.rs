//! What people read. Only this room prints.

pub mod escape;
mod json;
pub mod logs;
pub mod progress;
mod sources;
mod stream;
mod summary;
#[cfg(test)]
mod tests;

pub use json::run_as_json;
pub use sources::{SourceView, sources_as_json, sources_as_text};
pub use stream::{diagnose, out};
pub use summary::run_as_text;
