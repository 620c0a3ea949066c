//! What both adapters do alike: rows and columns of our own tables, and every statement that says the same in both
//! databases but for the parts that [`connection::SqlConnection`] names.

pub(super) mod arrivals;
pub(super) mod attempts;
pub(super) mod availability;
pub(super) mod breakers;
pub(super) mod cell;
pub(super) mod claims;
pub(super) mod collected;
pub(super) mod connection;
pub(super) mod data_columns;
pub(super) mod decisions;
pub(super) mod encoding;
pub(super) mod endings;
pub(super) mod gaps;
mod given_up;
pub(super) mod history;
pub(super) mod jobs;
pub(super) mod migrations;
pub(super) mod missing;
pub(super) mod notifications;
pub(super) mod operation_log;
pub(super) mod orders;
pub(super) mod patience;
pub(super) mod pending_orders;
pub(super) mod placing;
pub(super) mod reports;
pub(super) mod row;
pub(super) mod runs;
pub(super) mod said;
pub(super) mod scanned;
pub(super) mod source_orders;
pub(super) mod sources;
pub(super) mod statement;
pub(super) mod successes;
pub(super) mod user_query;
pub(super) mod values;
pub(super) mod work;
