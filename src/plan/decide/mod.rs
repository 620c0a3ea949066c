//! What is missing, and what a run does about it.

pub mod backfill;
pub mod census;
pub mod checkup;
pub mod coverage;
pub mod data_row;
pub mod data_trouble;
pub mod decision;
pub mod decision_changes;
pub mod deployment;
pub mod explain;
pub mod found_data;
pub mod freshness;
pub mod late_banks;
pub mod mismatch;
pub mod order_effects;
pub mod path_pattern;
pub mod plan;
pub mod planner;
pub mod retention;
pub mod source_plan;
pub mod unmatched;
