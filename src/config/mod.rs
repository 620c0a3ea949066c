//! Reads the configuration files and checks them. Every error names its file, line and column.
//!
//! [`find()`] finds the file. [`load()`] reads it together with the institutions that it names, and reports every mistake in both at
//! once. A value that came from a variable may be a secret: no message and no `Debug` here shows one. Only these files and a `.env`
//! beside them are read, each of bounded size and only if it is a regular file; texts have a bound too, aliases and variables included. Whether programs and directories exist [`check()`] looks at as well; of the database, who uses it.
//!
//! The steps: `tree` (text to values with positions) -> `expand` (variables filled in) -> `decode` (to the structs of `written*`, which
//! have the shape of the file) -> the checks of each section (to values of `plan`).

mod address;
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
mod grouped;
mod health;
mod host;
mod http;
mod institutions;
mod load;
mod log;
mod names;
mod needs;
mod new_database;
mod outputs;
mod ownership;
mod parallel;
mod paths;
mod patterns;
mod pools;
mod program;
mod report_types;
mod retention;
mod run;
mod scalars;
mod secrets;
mod skeleton;
mod sources;
mod tell;
#[cfg(test)]
mod tests;
mod tree;
mod work;
mod written;
mod written_health;
mod written_program;
mod written_retention;
mod written_sources;
mod written_work;

pub use configuration::Config;
pub use env_files::ReadEnvFiles;
pub use error::{ConfigError, ConfigErrors, Position};
pub use find::{Found, find, is_found_by_all};
pub use host::{Host, Need};
pub use load::{Examined, check, examine, load};
pub use names::{Names, names};
pub use new_database::{NewDatabase, env_line, new_database};
pub use parallel::automatic_parallelism;
pub use secrets::looks_secret;
pub use skeleton::{WrittenDatabase, institutions_skeleton, new_state_dir, skeleton};
pub use written::schema;
