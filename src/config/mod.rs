//! Configuration: from the files as written to checked values of `plan`, with every error located.
//!
//! [`find()`] says which file, [`load()`] reads it together with the institutions that it names and reports every mistake in
//! both at once. A value that came from a variable may be a secret: no message and no `Debug` here shows one. Nothing but
//! these files and a `.env` beside them is looked at; whether commands, directories and databases exist is seen by those
//! who use them.
//!
//! The way of a file: `tree` (text to places and values) -> `expand` (variables) -> `decode` (to `written`, the shapes) ->
//! the checks of the single sections.

mod check;
mod configuration;
mod database;
mod decode;
mod document;
mod dotenv;
mod env_files;
mod error;
mod etls;
mod expand;
mod find;
mod http;
mod institutions;
mod load;
mod needs;
mod outputs;
mod parallel;
mod paths;
mod pools;
mod program;
mod run;
mod scalars;
mod sources;
#[cfg(test)]
mod tests;
mod tree;
mod work;
mod written;
mod written_program;
mod written_sources;
mod written_work;

pub use configuration::Config;
pub use error::{ConfigError, ConfigErrors, Position};
pub use find::find;
pub use load::load;
pub use parallel::automatic_parallelism;
pub use written::schema;
