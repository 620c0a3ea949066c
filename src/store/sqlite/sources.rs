//! Disclosure sources: their records, their queue, and orders on them.

use chrono::{DateTime, Utc};

use super::Sqlite;
use crate::plan::collection::{QueuedWindow, SourceState};
use crate::plan::job::Claim;
use crate::plan::operator::SourceOrder;
use crate::plan::window::Window;
use crate::store::Result;

impl Sqlite {
    pub(super) async fn source_states(&self) -> Result<Vec<SourceState>> {
        Ok(Vec::new())
    }

    pub(super) async fn queue(&self) -> Result<Vec<QueuedWindow>> {
        Ok(Vec::new())
    }

    pub(super) async fn enqueue_windows(&self, _source: &str, _windows: &[Window], _at: DateTime<Utc>) -> Result<()> {
        Ok(())
    }

    pub(super) async fn follow(&self, _claim: Claim, _attempt: u32, _remote: Option<&str>) -> Result<bool> {
        Ok(true)
    }

    pub(super) async fn order_source(&self, _order: &SourceOrder) -> Result<bool> {
        Ok(true)
    }

    pub(super) async fn value_of(&self, _query: &str) -> Result<Option<String>> {
        Ok(None)
    }
}
