//! Runs the programs and asks the services that make reports and collect disclosures.
//!
//! The only room that starts processes or opens sockets for ETLs. It knows nothing of databases, gaps or retries: it takes a [`Task`] and
//! returns an [`Ended`].

pub(crate) mod ask;
pub mod command;
mod executor;
pub mod http;
mod lines;
mod log;
mod record;
pub mod stop;
mod tail;
mod task;

pub use self::executor::{Executor, Executors};
pub use self::log::{left_out, was_not_written};
pub use self::task::{AttemptEvent, Call, Program, Task};
pub use crate::plan::run::ended::{End, Ended};
