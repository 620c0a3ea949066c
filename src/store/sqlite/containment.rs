//! What is remembered of gaps, breakers and operators' orders.

use chrono::{DateTime, Utc};

use super::Sqlite;
use crate::plan::breaker::OpenBreaker;
use crate::plan::gap::GapKey;
use crate::plan::ids::{JobId, RunId};
use crate::plan::job::{AttemptEnd, Claim, Watched};
use crate::plan::memory::{GapState, Memory};
use crate::plan::operator::{CancelAnswer, FoundJob, Order};
use crate::plan::period::Period;
use crate::store::Result;

impl Sqlite {
    pub(super) async fn attach(&self, _claim: Claim, _end: &AttemptEnd) -> Result<bool> {
        todo!()
    }

    pub(super) async fn watch(&self, _run: RunId) -> Result<Vec<Watched>> {
        todo!()
    }

    pub(super) async fn gap_states(&self) -> Result<Vec<GapState>> {
        Ok(Vec::new())
    }

    pub(super) async fn open_breakers(&self) -> Result<Vec<OpenBreaker>> {
        Ok(Vec::new())
    }

    pub(super) async fn set_breaker(&self, _etl: &str, _breaker: Option<&OpenBreaker>, _refunds: &[(GapKey, i64, Memory)]) -> Result<()> {
        todo!()
    }

    pub(super) async fn sources(&self, _of: &[(i64, Period)]) -> Result<Vec<((i64, Period), String)>> {
        Ok(Vec::new())
    }

    pub(super) async fn order(&self, _order: &Order, _gaps: &[GapKey]) -> Result<u64> {
        todo!()
    }

    pub(super) async fn order_cancel(&self, _job: JobId, _by: &str, _reason: &str, _at: DateTime<Utc>) -> Result<CancelAnswer> {
        todo!()
    }

    pub(super) async fn find_jobs(&self, _prefix: &str, _limit: u32) -> Result<Vec<FoundJob>> {
        todo!()
    }
}
