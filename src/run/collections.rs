//! Jobs that collect windows of sources: what fills their placeholders, and how it is seen that the data is there.

use tokio::sync::mpsc;

use super::context::{Paths, RunContext};
use crate::execute::stop::StopSignal;
use crate::execute::{End, Ended, Task};
use crate::plan::decide::plan::PlannedJob;
use crate::plan::model::collection::{Collected, Collection, Seen};
use crate::plan::model::ids::JobId;
use crate::plan::model::job::Claim;
use crate::plan::model::outcome::{Fault, Outcome};
use crate::plan::model::source::{Source, Verify};
use crate::store;

/// What is said of a collection that could not be verified because the database is away.
pub(super) const NOT_VERIFIED: &str = "its collector reports success, but the database is away; the next run verifies it";

/// What became of the look at a collection.
pub(super) enum Verification {
    /// It is there, as far as that can be known.
    Collected(Box<Collected>),
    /// It is not.
    Not(Outcome),
    /// The database does not say.
    Unknown,
}

impl RunContext {
    /// The source of a collection.
    pub(super) fn source(&self, collection: &Collection) -> &Source {
        &self.catalogue.sources[collection.source]
    }

    /// Looks at what a collector that reports success has collected.
    pub(super) async fn look(
        &self,
        job: &PlannedJob,
        collection: &Collection,
        (id, claim, attempt): (JobId, Claim, u32),
        ended: &Ended,
        paths: &Paths,
        stop: StopSignal,
    ) -> Verification {
        let source = self.source(collection);
        let values = self.values(job, id, attempt, paths);
        let seen = match &source.verify {
            None => Seen::Reported,
            Some(Verify::Sql(query)) => {
                let query = query.fill(&values);
                match self.asked(&query).await {
                    Ok(found) if Verify::is_true(found.as_deref()) => Seen::Verified,
                    Ok(found) => {
                        let found = found.map_or("nothing".to_owned(), |found| format!("{found:?}"));
                        return Verification::Not(Outcome::NoOutput(format!("reported as collected, but verify finds {found}")));
                    }
                    Err(error) if error.may_pass() && !self.is_database_there().await => return Verification::Unknown,
                    Err(error) if error.may_pass() => {
                        let why = format!("reported as collected, but verify did not come to its end: {error}");
                        return Verification::Not(Outcome::ReportedError { why, fault: Fault::Transient });
                    }
                    Err(error) => {
                        let why = format!("reported as collected, but verify cannot be asked: {error}");
                        return Verification::Not(Outcome::ReportedError { why, fault: Fault::Configuration });
                    }
                }
            }
            Some(Verify::Command(command)) => {
                let log = paths.log.with_extension("verify.log");
                let program = self.program(command, self.own_variables(job, claim, &values), &values, log);
                let (said, mut hear) = mpsc::channel(1);
                // What it prints is in its log.
                let listen = async { while hear.recv().await.is_some() {} };
                let (verified, ()) = tokio::join!(self.executor.run(Task::Command(program), stop, said), listen);
                match verified.end {
                    End::Exited(0) => Seen::Verified,
                    End::Stopped => return Verification::Not(Outcome::Interrupted),
                    End::SpawnFailed(why) => {
                        return Verification::Not(Outcome::SpawnFailed { why: format!("verify: {why}"), may_pass: false });
                    }
                    End::Exited(_)
                    | End::Signalled(_)
                    | End::TimedOut
                    | End::Unseen(_)
                    | End::Completed
                    | End::Reported { .. }
                    | End::Vanished => {
                        let said = verified.tail.lines().last().map(|line| format!(": {}", line.trim())).unwrap_or_default();
                        return Verification::Not(Outcome::NoOutput(format!("reported as collected, but verify does not find it{said}")));
                    }
                }
            }
        };
        Verification::Collected(Box::new(collected(source, collection, seen, ended)))
    }

    /// What a query finds. It may take as long as the store lets it; one that was cut off is asked once more.
    async fn asked(&self, query: &str) -> store::Result<Option<String>> {
        match self.store.value_of(query).await {
            Err(error) if error.may_pass() && self.is_database_there().await => self.store.value_of(query).await,
            answer => answer,
        }
    }

    /// Whether it is the query that failed, and not the database.
    async fn is_database_there(&self) -> bool {
        self.ledger.insist(|| self.store.watch(self.run)).await.is_ok()
    }
}

fn collected(source: &Source, collection: &Collection, seen: Seen, ended: &Ended) -> Collected {
    let message = source.work.last_message(ended.answer.as_ref(), &ended.tail);
    let records = source.records.as_ref().and_then(|rule| match &ended.answer {
        Some(answer) => rule.in_answer(answer),
        None => rule.in_lines(&ended.tail),
    });
    Collected { source: source.id.clone(), window: collection.window, seen, records, message }
}
