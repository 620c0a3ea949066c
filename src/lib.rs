//! etl-orch finds the reports that are missing and makes them.
//!
//! The map of the crate, from the inside out (`ARCHITECTURE.md` has the reasons):
//!
//! - [`plan`] decides, without any I/O.
//! - [`store`] is the database: narrow ports and two adapters.
//! - [`execute`] runs the ETLs' programs.
//! - `os` is what the host says and does: processes, identity, durable files.
//! - [`tell`] fans out the events of a run to whoever subscribes.
//! - [`run`] is one invocation: lock, recover, plan, dispatch, verify.
//! - [`show`] is what people read.
//! - [`config`] turns files into checked values of `plan`.
//! - [`cli`] is the command line, which wires the rooms together.
//!
//! Only [`cli::main`] is an interface. The other rooms are public for the tests in `tests/`; they are hidden from the compiler's
//! demand for documentation, so that a comment stands only where it says more than a name.

// A panic ends the process; a bug may end one job. Where jobs run and are shown, nothing but a position in what the program made itself
// is taken for granted.
#![cfg_attr(not(test), deny(clippy::panic, clippy::todo, clippy::unimplemented, clippy::get_unwrap))]

#[cfg_attr(not(doc), doc(hidden))]
pub mod cli;
#[cfg_attr(not(doc), doc(hidden))]
pub mod config;
#[cfg_attr(not(doc), doc(hidden))]
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice, clippy::unreachable))]
pub mod execute;
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice, clippy::unreachable))]
mod os;
#[cfg_attr(not(doc), doc(hidden))]
pub mod plan;
#[cfg_attr(not(doc), doc(hidden))]
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice, clippy::unreachable))]
pub mod run;
#[cfg_attr(not(doc), doc(hidden))]
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice, clippy::unreachable))]
pub mod show;
#[cfg_attr(not(doc), doc(hidden))]
pub mod store;
#[cfg_attr(not(doc), doc(hidden))]
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice, clippy::unreachable))]
pub mod tell;
