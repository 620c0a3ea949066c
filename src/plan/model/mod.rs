//! What there is: banks, periods, ETLs, sources, windows, jobs and their outcomes, as values.

pub mod candidate;
pub mod catalogue;
pub mod collection;
pub mod cooldown;
pub mod etl;
pub mod gap;
pub mod health;
pub mod ids;
pub mod institution;
pub mod job;
pub mod listed;
pub mod logging;
pub mod orders;
pub mod outcome;
pub mod patterns;
pub mod period;
pub mod retry;
pub mod said;
pub mod selection;
pub mod settings;
pub mod source;
pub mod target;
pub mod tell;
pub mod trace_context;
pub mod window;
pub mod work;
