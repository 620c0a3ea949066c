//! What people and programs read. Only this room prints.
//!
//! There is one *view* for each thing: a plain struct, made once from values of `plan`. Its fields are the JSON object that
//! programs get, and its text is written from the same fields.

mod blocked;
mod command_line;
pub mod completion;
pub mod config;
pub mod config_init;
pub mod coverage;
pub mod doctor;
pub mod escape;
mod expected;
pub mod health;
pub mod history;
pub mod install;
mod late_banks;
mod listener;
pub mod logs;
mod metrics;
mod misnamed;
mod names;
pub mod notification;
pub mod orders;
pub mod outcome;
pub mod progress;
pub mod prune;
pub mod report;
pub mod run;
mod run_log;
mod screen;
pub mod shell_env;
pub mod sources;
mod stages;
mod stream;
pub mod tell;
mod terminal;
pub mod trace;
mod unmatched;
mod waits;
pub mod why;
mod words;

pub use command_line::CommandLine;
pub use escape::hide;
pub use run_log::ChildOutput;
pub use stream::{diagnose, note, out};
pub use terminal::{Known, set_known, stdout_width};
pub use words::{Time, Zone, read_time, use_zones};

use std::io;

use serde::Serialize;

/// Version of the shape of all JSON objects. It rises when a field changes its meaning or goes; new fields may appear without.
const SCHEMA_VERSION: u32 = 1;

/// Something that can be printed as text or as JSON.
pub trait View: Serialize {
    /// What kind of object this is, for programs.
    fn kind(&self) -> &'static str;

    /// The page for people, ending in a newline.
    fn text(&self) -> String;

    /// The object for programs, ending in a newline.
    ///
    /// # Errors
    /// Never in practice: every view has a JSON form.
    fn json(&self) -> io::Result<String> {
        #[derive(Serialize)]
        struct Object<'a, V: ?Sized> {
            schema_version: u32,
            kind: &'static str,
            #[serde(flatten)]
            view: &'a V,
        }
        let object = Object { schema_version: SCHEMA_VERSION, kind: self.kind(), view: self };
        let json = serde_json::to_string_pretty(&object)?;
        // Line by line: the ends of lines are part of the layout.
        Ok(json.lines().map(|line| escape::escaped_json(line).into_owned() + "\n").collect())
    }
}
