//! Records in the database what is in the spool: at the start of a run the ends that earlier runs left, at its end its own.
//!
//! An end that the database refuses stays in the spool, whatever the reason is, and the others go on.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use super::invocation::Invocation;
use super::ledger::record_end;
use super::placing;
use super::spool::{self, Entry, Record};
use crate::plan::model::ids::JobId;
use crate::plan::model::job::JobState;
use crate::plan::run::job_end::Finished;
use crate::plan::run::note::JobNote;
use crate::plan::run::summary::Results;
use crate::store::{self, Store, StoreError};

/// How long the database may take for all of it at the end of a run.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What became of entries of the spool.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// What the database answered for the jobs whose end it has now, and whether the report of that end had not been looked at.
    pub(super) recorded: HashMap<JobId, (Finished, bool)>,
    /// Entries that are still in the spool.
    pub(super) left: Vec<LeftEntry>,
    /// Why the database could not be reached; then nothing more was tried.
    pub(super) unreachable: Option<StoreError>,
}

/// An entry that stays in the spool.
#[derive(Debug)]
pub(super) struct LeftEntry {
    pub(super) entry: Entry,
    /// Why, in a sentence.
    pub(super) why: String,
}

/// Records entries, and removes those that are on record.
pub(super) async fn replay(store: &dyn Store, entries: Vec<Entry>) -> Replayed {
    let mut replayed = Replayed::default();
    // After this error no further entry is tried.
    let mut given_up: Option<String> = None;
    for entry in entries {
        let why = match (&given_up, &entry.record) {
            (Some(error), _) => error.clone(),
            (None, Err(unreadable)) => cannot_be_read(&entry.path, unreadable),
            (None, Ok(record)) => match record_entry(store, record).await {
                Ok(Answer::Kept(why)) => {
                    spool::note_refusal(&entry.path, Some(&why));
                    why
                }
                Ok(Answer::OnRecord(finished)) => {
                    replayed.recorded.insert(record.claim.job, (finished, record.end.unverified_report().is_some()));
                    if let Err(error) = spool::remove(&entry) {
                        // It will be recorded once more, which does no harm.
                        tracing::warn!("{} is on record and cannot be removed: {error}", entry.path.display());
                    }
                    continue;
                }
                Err(error) => {
                    let why = error.to_string();
                    let refusal = (!error.may_pass()).then_some(why.as_str());
                    spool::note_refusal(&entry.path, refusal);
                    if error.is_unreachable() {
                        replayed.unreachable.get_or_insert(error);
                        given_up = Some(why.clone());
                    } else if error.is_interrupted() {
                        given_up = Some(why.clone());
                    }
                    why
                }
            },
        };
        replayed.left.push(LeftEntry { entry, why });
    }
    replayed
}

/// Why an entry that cannot be read stays in the spool.
pub(super) fn cannot_be_read(path: &Path, why: &str) -> String {
    format!("{} cannot be read: {why}", path.display())
}

/// What came of an entry.
enum Answer {
    OnRecord(Finished),
    /// It must stay in the spool, for this reason.
    Kept(String),
}

/// Why an entry of a job that the database does not know stays in the spool. Its database may come back.
fn unknown_job(record: &Record) -> String {
    format!(
        "the database does not know job {}: where another file or server took the place of the right one, put that back; where an older copy \
         was restored, give the end up",
        record.claim.job.short()
    )
}

async fn is_running(store: &dyn Store, job: JobId) -> store::Result<bool> {
    Ok(store.find_jobs(&job.to_string(), 1).await?.iter().any(|found| found.state == JobState::Running))
}

/// Records an end.
async fn record_entry(store: &dyn Store, record: &Record) -> store::Result<Answer> {
    // The file may be on a file system that is not mounted. A success must not be recorded for it.
    if let Some(path) = placing::missing_report(record)
        && is_running(store, record.claim.job).await?
    {
        return Ok(Answer::Kept(format!(
            "the report that it made is not at {}; where it is lost for good, give the end up",
            path.display()
        )));
    }
    let record = placing::with_content(record);
    let finished = record_end(store, &record).await?;
    if finished == Finished::ClaimLost {
        // Where the job was recorded as lost before, only the attempt gets its end.
        let is_attached = match record.end.attempt() {
            Some(end) => store.attach(record.claim, end).await?,
            None => false,
        };
        if !is_attached && store.find_jobs(&record.claim.job.to_string(), 1).await?.is_empty() {
            return Ok(Answer::Kept(unknown_job(&record)));
        }
    }
    placing::follow(&record, finished);
    Ok(Answer::OnRecord(finished))
}

impl Invocation {
    /// Records the ends that this run put into the spool and updates the results of their jobs. When any cannot be recorded the run
    /// counts as broken, because of `trouble`.
    pub(super) async fn replay_spool(&self, results: &mut Results, trouble: String) {
        let ids: HashSet<JobId> = results.spooled.iter().filter_map(|job| results.jobs.get(*job)).map(|result| result.id).collect();
        let mut recorded = tokio::time::timeout(TIMEOUT, self.replay_ends(&ids)).await.unwrap_or_default();
        for job in std::mem::take(&mut results.spooled) {
            let Some(result) = results.jobs.get_mut(job) else { continue };
            match recorded.remove(&result.id) {
                Some((Finished::Recorded(JobState::Succeeded), _)) => (result.state, result.reason) = (JobState::Succeeded, None),
                Some((Finished::Recorded(_), true)) => {
                    result.reason = Some(JobNote::ReportMissing.to_string());
                    result.for_want_of_record = true;
                }
                // The result has its state and reason already.
                Some((Finished::Recorded(_), false)) => {}
                Some((Finished::ClaimLost, _)) => {
                    (result.state, result.reason) = (JobState::Failed, Some(JobNote::ClaimLost.to_string()));
                }
                None => results.spooled.push(job),
            }
        }
        if !results.spooled.is_empty() {
            let ends = if results.spooled.len() == 1 {
                "the end of 1 job".to_owned()
            } else {
                format!("the ends of {} jobs", results.spooled.len())
            };
            let trouble = results.broken.take().unwrap_or(trouble);
            results.broken = Some(format!("{trouble}; the next run records {ends} from the spool"));
        }
    }

    /// Records the ends of these jobs that are in the spool. Returns what the database has of them now.
    async fn replay_ends(&self, jobs: &HashSet<JobId>) -> HashMap<JobId, (Finished, bool)> {
        let entries = match spool::entries(&self.state_dir) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!("{}: {error}", spool::directory(&self.state_dir).display());
                return HashMap::new();
            }
        };
        let is_ours = |entry: &Entry| entry.claim.is_some_and(|claim| jobs.contains(&claim.job));
        let ours: Vec<Entry> = entries.into_iter().filter(is_ours).collect();
        let missing: Vec<JobId> =
            jobs.iter().filter(|job| !ours.iter().any(|entry| entry.claim.is_some_and(|claim| claim.job == **job))).copied().collect();
        let mut recorded = replay(&*self.store, ours).await.recorded;
        for job in missing {
            // Another invocation has recorded and removed it.
            if let Ok(Some(found)) = self.store.find_jobs(&job.to_string(), 1).await.map(|mut found| found.pop())
                && found.state != JobState::Running
            {
                recorded.insert(job, (Finished::Recorded(found.state), false));
            }
        }
        recorded
    }
}
