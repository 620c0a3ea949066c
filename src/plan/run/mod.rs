//! What happens while jobs run: which one is next, and what an end leads to.

pub mod account;
pub mod aftermath;
pub mod breakers;
pub mod delivery;
pub mod ended;
pub mod event;
pub mod expectations;
pub mod forecast;
pub mod job_end;
pub mod lasting;
pub mod message;
pub mod not_started;
pub mod note;
pub mod notification;
pub mod outlook;
pub mod recorded;
pub mod schedule;
pub mod sightings;
pub mod spans;
pub mod standing;
pub mod stop;
pub mod summary;
pub mod told;
