//! The headings under which options stand, in the order of a page.

/// What a command is about.
pub(in crate::cli) const SELECT: &str = "Select";
/// How it goes about it.
pub(in crate::cli) const RUN: &str = "Run";
/// What an order says.
pub(in crate::cli) const ORDER: &str = "Order";
/// What it connects to.
pub(in crate::cli) const CONNECT: &str = "Connect";
/// What it prints or writes.
pub(in crate::cli) const OUTPUT: &str = "Output";
/// Options of every command.
pub(in crate::cli) const GLOBAL: &str = "Global";
