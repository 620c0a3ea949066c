//! Texts: templates, bodies, what a text says, and the nearest names.

pub mod body;
pub mod diff;
mod encoded;
pub mod nearest;
pub mod nul;
pub mod number;
pub mod placeholder;
pub mod records;
pub mod retry_after;
pub mod secrets;
pub mod size;
pub mod span;
pub mod spelling;
pub mod template;
