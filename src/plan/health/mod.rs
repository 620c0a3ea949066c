//! How things stand: one judgement, from what a run finds and from the runs on record, with the time as an argument.

pub mod days;
pub mod facts;
#[cfg(test)]
pub(crate) mod fixture;
pub mod issue;
pub mod judgement;
pub mod recovery;
pub mod reports;
mod runs;
pub mod sources;
#[cfg(test)]
mod tests;
