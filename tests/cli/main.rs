//! The real binary, as a user runs it, on both databases.

#![expect(clippy::too_many_lines, reason = "what is printed stands in its test as a whole")]
#![expect(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod bad_rows;
mod blackhole;
mod breaker;
mod bugs;
mod chains;
mod child;
mod collector;
mod config_check;
mod connecting;
mod containment;
mod crashes;
mod data;
mod database_away;
mod dry_run;
mod dry_states;
mod encodings;
mod end_after_row;
mod ends_before_a_stop;
mod exit_codes;
mod exits;
mod fairness;
mod files;
mod force_pending;
mod garbage;
mod hostile;
mod hostile_files;
mod inherited;
mod jobs;
mod lease;
mod limits;
mod liveness;
mod lock;
mod needs;
mod one_object;
mod orders;
mod orphans;
mod outage;
mod pages;
mod pools;
mod printed;
mod published;
mod quickstart;
mod records;
mod recovery;
mod retries;
mod rights;
mod room;
mod secrets;
mod selection;
mod service_desk;
mod service_limits;
mod service_refusals;
mod service_reports;
mod service_restarts;
mod service_wire;
mod services;
mod shortage;
mod source_desk;
mod sources;
mod sources_orders;
mod sqlite_faults;
mod stop;
mod taken;
mod terminal;
mod timers;
mod unmarked;
mod unrecorded;
mod verify;
