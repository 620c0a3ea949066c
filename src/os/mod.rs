//! What the host says and does: processes, signals, threads, this process's identity, durable files.
//!
//! The host is Linux, kernel 5.3 or later: processes are read from `/proc` and signalled through pidfds. This room knows of the
//! product only the values of `plan`: who owns a run, and a run's id.

pub(crate) mod access;
pub(crate) mod blocking;
pub(crate) mod children;
pub(crate) mod descendants;
pub(crate) mod directory;
pub(crate) mod exit_watch;
pub(crate) mod files;
pub(crate) mod identity;
pub(crate) mod input;
pub(crate) mod locks;
pub(crate) mod mark;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod room;
pub(crate) mod signals;
pub(crate) mod survivors;
pub(crate) mod threads;
pub(crate) mod users;
