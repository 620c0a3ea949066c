//! etl-orch finds the reports that are missing and makes them.
//!
//! The map of the crate, from the inside out (`ARCHITECTURE.md` has the reasons):
//!
//! - [`plan`] decides, without any I/O.
//! - [`store`] is the database: a port and two adapters.
//! - [`execute`] runs the ETLs' programs.
//! - `os` is what the host says and does: processes, identity, durable files.
//! - [`tell`] fans out the events of a run to whoever subscribes.
//! - [`run`] is one invocation: lock, recover, plan, dispatch, verify.
//! - [`show`] is what people read.
//! - [`config`] turns files into checked values of `plan`.
//! - [`cli`] is the command line, which wires the rooms together.

pub mod cli;
pub mod config;
pub mod execute;
mod os;
pub mod plan;
pub mod run;
pub mod show;
pub mod store;
pub mod tell;
