//! Texts: templates, bodies, what a text says, and the nearest names.

pub mod body;
pub mod nearest;
pub mod nul;
pub mod placeholder;
pub mod records;
pub mod template;
