//! Checks that the result of an attempt exists. Exit code 0, or a success that a service reports, is not enough.

use tokio::sync::mpsc;

use super::Attempt;
use crate::execute::Task;
use crate::plan::model::collection::{Collected, Collection, Seen};
use crate::plan::model::gap::Gap;
use crate::plan::model::job::ReportKey;
use crate::plan::model::outcome::{Fault, Outcome};
use crate::plan::model::source::Verify;
use crate::plan::model::target::Target;
use crate::plan::model::work::CommandSpec;
use crate::plan::run::aftermath::{self, Finding};
use crate::plan::run::ended::{End, Ended};
use crate::plan::run::job_end::Artifact;
use crate::plan::text::placeholder::{Placeholder, Values};
use crate::plan::text::size::shortened;
use crate::plan::text::template::Template;
use crate::store;

/// Most bytes of what a query finds in a message.
const MOST_BYTES: usize = 200;

fn no_output(why: impl std::fmt::Display) -> Finding {
    Finding::Failed(Outcome::NoOutput(why.to_string()))
}

/// Why a query cannot be asked: it names the id that a service gave to its job, and that has characters which could change the query.
fn unfit_for_query(query: &Template, values: &Values) -> Option<String> {
    let id = values.get(&Placeholder::RemoteId).filter(|_| query.placeholders().any(|named| named == Placeholder::RemoteId))?;
    let is_plain = id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(c)) && !id.contains("--");
    (!is_plain).then(|| {
        format!(
            "reported as collected, but the id of the service's job, {id:?}, cannot be put into the query of verify; use verify.command"
        )
    })
}

impl Attempt<'_> {
    /// What the attempt came to.
    pub(super) async fn finding(&self, ended: &Ended) -> Finding {
        if let Some(outcome) = aftermath::outcome(ended, self.work()) {
            return self.look_in_spite_of(outcome).await;
        }
        let finding = match &self.order.job.target {
            Target::Report { gap, data_symbol } => match self.order.context.destination(*gap) {
                Some(destination) => self.publish(*gap, data_symbol, destination).await,
                None => self.look_at_report(*gap).await,
            },
            Target::Collection(collection) => self.look_at_collection(collection, ended).await,
        };
        if self.work().has_remote_id() && matches!(finding, Finding::Failed(Outcome::NoOutput(_) | Outcome::Misspelled(_))) {
            // The service's job is over: the next attempt triggers another one.
            self.follow(None).await;
        }
        finding
    }

    /// Whether the row that the ETL writes is there, and is new.
    async fn look_at_report(&self, gap: Gap) -> Finding {
        let (context, before) = (self.order.context, self.active.before.clone());
        let key = context.report_key(gap);
        let ended_well = if self.work().has_remote_id() { "its service reports success" } else { "exit 0" };
        match context.ledger.insist(|| context.store.report_fingerprint(&key)).await {
            Err(_) => Finding::ReportUnverified { report: key, before },
            Ok(None) => self.no_report(gap, &key, ended_well).await,
            Ok(now) if now == before => no_output(format!("{ended_well}, but the {} is the one that was there before", key.report_type)),
            Ok(Some(_)) => Finding::Succeeded(Artifact::Report),
        }
    }

    /// What it means that there is no row after a success.
    async fn no_report(&self, gap: Gap, key: &ReportKey, ended_well: &str) -> Finding {
        if let Some(why) = self.order.misspelled_row(gap, key).await {
            return Finding::Failed(Outcome::Misspelled(format!("{ended_well}, but {why}")));
        }
        let types = key.types().collect::<Vec<_>>().join(" or ");
        no_output(format!("{ended_well}, but the reports table has no {types} for bank_id {}, {}", key.bank_id, key.period))
    }

    /// Looks for the row that the ETL writes though the attempt did not end well: where it is there, another attempt would be for nothing. A
    /// file that etl-orch is to publish is trusted only after exit code 0.
    async fn look_in_spite_of(&self, outcome: Outcome) -> Finding {
        let context = self.order.context;
        let Some(gap) = self.order.job.report().filter(|gap| context.destination(*gap).is_none()) else {
            return Finding::Failed(outcome);
        };
        if !aftermath::may_have_written(&outcome) {
            return Finding::Failed(outcome);
        }
        let key = context.report_key(gap);
        match context.ledger.insist(|| context.store.report_fingerprint(&key)).await {
            Ok(now) if now.is_some() && now != self.active.before => Finding::ReportThere(outcome),
            // Where the database is away, nothing is begun before it answers, and then the report is looked for again.
            Ok(_) | Err(_) => Finding::Failed(outcome),
        }
    }

    /// Whether what the collector reports as collected is there.
    async fn look_at_collection(&self, collection: &Collection, ended: &Ended) -> Finding {
        let source = self.order.context.source(collection);
        let mut values = self.values();
        values.extend(ended.service_job.clone().map(|job| (Placeholder::RemoteId, job)));
        let seen = match &source.verify {
            None => Ok(Seen::Reported),
            Some(Verify::Sql(query)) => match unfit_for_query(query, &values) {
                Some(why) => Err(Finding::Failed(Outcome::ReportedError { why, fault: Fault::Configuration, exit: None })),
                None => self.verify_by_query(&query.fill(&values)).await,
            },
            Some(Verify::Command(command)) => self.verify_by_program(command, &values).await,
        };
        let records = source.records.as_ref().and_then(|rule| match &ended.answer {
            Some(answer) => rule.in_answer(answer),
            None => rule.in_lines(&ended.tail),
        });
        let message = source.work.last_message(ended.answer.as_ref(), &ended.tail);
        let collected = |seen| Collected { source: source.id.clone(), window: collection.window, seen, records, message };
        seen.map_or_else(|finding| finding, |seen| Finding::Succeeded(Artifact::Collection(Box::new(collected(seen)))))
    }

    async fn verify_by_query(&self, query: &str) -> Result<Seen, Finding> {
        let failed = |why: String, fault| Err(Finding::Failed(Outcome::ReportedError { why, fault, exit: None }));
        match self.ask(query).await {
            Ok(found) if Verify::is_true(found.as_deref()) => Ok(Seen::Verified),
            Ok(found) => {
                let found = found.map_or("nothing".to_owned(), |found| format!("{:?}", shortened(&found, MOST_BYTES)));
                Err(no_output(format!("reported as collected, but verify finds {found}")))
            }
            Err(error) if !error.may_pass() => {
                failed(format!("reported as collected, but verify cannot be asked: {error}"), Fault::Configuration)
            }
            Err(error) if self.is_database_there().await => {
                failed(format!("reported as collected, but verify did not come to its end: {error}"), Fault::Transient)
            }
            Err(_) => Err(Finding::CollectionUnverified),
        }
    }

    async fn verify_by_program(&self, command: &CommandSpec, values: &Values) -> Result<Seen, Finding> {
        let program = self.program(command, self.paths.log.with_extension("verify.log"), values);
        let (sender, mut receiver) = mpsc::channel(1);
        // What it prints is in its log.
        let listen = async { while receiver.recv().await.is_some() {} };
        let run = self.order.context.executor.run(Task::Command(program), self.order.stop.clone(), sender);
        let (verified, ()) = tokio::join!(run, listen);
        match verified.end {
            End::Exited(0) => Ok(Seen::Verified),
            End::Stopped => Err(Finding::Failed(Outcome::Interrupted)),
            End::SpawnFailed(why) => Err(Finding::Failed(Outcome::SpawnFailed { why: format!("verify: {why}"), may_pass: false })),
            End::HostShort(why) => Err(Finding::Failed(Outcome::SpawnFailed { why: format!("verify: {why}"), may_pass: true })),
            End::Exited(_) | End::Signalled(_) | End::TimedOut | End::Unseen(_) | End::Completed | End::Reported { .. } | End::Vanished => {
                let last = verified.tail.lines().last().map(|line| format!(": {}", line.trim())).unwrap_or_default();
                Err(no_output(format!("reported as collected, but verify does not find it{last}")))
            }
        }
    }

    /// What a query finds. It may take as long as the store lets it; one that was cut off is asked once more.
    async fn ask(&self, query: &str) -> store::Result<Option<String>> {
        let store = &self.order.context.store;
        match store.value_of(query).await {
            Err(error) if error.may_pass() && self.is_database_there().await => store.value_of(query).await,
            answer => answer,
        }
    }

    /// Whether it is the query that failed, and not the database.
    async fn is_database_there(&self) -> bool {
        let context = self.order.context;
        context.ledger.insist(|| context.store.watch(context.run)).await.is_ok()
    }
}
