//! `etl-orch logs`: what the attempts of a job printed.

use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use tokio::time::sleep;

use super::super::args::Format;
use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::help::headings::{OUTPUT, SELECT};
use super::super::numbers;
use super::super::orders::args::GapWords;
use super::super::orders::one_job;
use super::super::orders::target::{OrderTarget, of_gaps};
use super::log_file::{LogFile, NoLog};
use crate::plan::model::ids::JobId;
use crate::plan::model::job::JobState;
use crate::plan::model::retention::Retention;
use crate::plan::remember::past::{JobQuery, PastAttempt, PastJob};
use crate::show::history::{JobLogsView, LogPrinter, log_end, log_head, no_log};
use crate::show::note;
use crate::store::{Access, Store};

/// Options of `logs`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct LogsArgs {
    #[command(flatten)]
    gaps: GapWords,
    /// Only this attempt, from 1 [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = numbers::within(1_u32..), help_heading = SELECT)]
    attempt: Option<u32>,
    /// Go on until the job has ended
    #[arg(short, long, help_heading = OUTPUT)]
    follow: bool,
}

/// Between two looks at a job that is followed.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// Jobs of a gap in which one that was started is looked for.
const LOOKED_AT: u32 = 100;

pub(in crate::cli) async fn command(context: &Context<'_>, args: &LogsArgs) -> Result<Exit, Failure> {
    let target = of_gaps(&context.config.catalogue, &args.gaps)?;
    if args.follow && context.global.format == Format::Json {
        return Err(Failure::Usage("--follow prints lines as they come, and has no JSON form".to_owned()));
    }
    let (state_dir, retention) = (&context.config.state_dir, &context.config.retention);
    let work = async |store: std::sync::Arc<dyn Store>| {
        let job = find(&*store, target).await?;
        if args.attempt.is_some_and(|n| n as usize > job.attempts.len()) && !args.follow {
            let text = format!("job {} ({}) has {} attempts", job.id.short(), job.gap, job.attempts.len());
            return Err(Failure::Usage(format!("--attempt: {text}")));
        }
        match context.global.format {
            Format::Text => {
                Reading { store: &*store, state_dir, retention, only: args.attempt, current: None, done: 0 }.print(job, args.follow).await
            }
            Format::Json => print_object(context, &*store, job, args.attempt).await,
        }
    };
    context.with_store(Access::ReadOnly, work).await?;
    Ok(Exit::Success)
}

/// The job that is named by its id, or the last job of what is named that was started.
async fn find(store: &dyn Store, target: OrderTarget) -> Result<PastJob, Failure> {
    if let OrderTarget::Job(prefix) = &target {
        return reload(store, one_job(store, prefix).await?.id).await;
    }
    let words = target.to_string();
    let jobs = store.jobs(&JobQuery { limit: LOOKED_AT, ..target.job_query() }).await?;
    let started = jobs.into_iter().find(|job| !job.attempts.is_empty());
    started.ok_or_else(|| Failure::Orchestrator(format!("no job of {words} has been started yet")))
}

async fn reload(store: &dyn Store, id: JobId) -> Result<PastJob, Failure> {
    let query = JobQuery { id: Some(id.to_string()), limit: 1, ..JobQuery::default() };
    store.jobs(&query).await?.pop().ok_or_else(|| Failure::Orchestrator(format!("job {} is no longer on record", id.short())))
}

fn is_over(state: JobState) -> bool {
    match state {
        JobState::Queued | JobState::Running => false,
        JobState::Succeeded | JobState::Failed | JobState::Skipped | JobState::Cancelled | JobState::Lost => true,
    }
}

/// The attempts of a job, printed one after the other.
struct Reading<'a> {
    store: &'a dyn Store,
    state_dir: &'a Path,
    retention: &'a Retention,
    only: Option<u32>,
    /// The attempt that is being printed.
    current: Option<Current>,
    /// The last attempt that was printed to its end.
    done: u32,
}

struct Current {
    n: u32,
    file: Option<LogFile>,
    printer: LogPrinter,
}

impl Reading<'_> {
    async fn print(mut self, mut job: PastJob, follow: bool) -> Result<(), Failure> {
        loop {
            if !self.print_attempts(&job).await? {
                return Ok(());
            }
            if is_over(job.state) || !follow {
                note(&log_end(&job));
                return Ok(());
            }
            sleep(BETWEEN_LOOKS).await;
            job = reload(self.store, job.id).await?;
        }
    }

    /// Prints what is new of each attempt. Returns whether somebody still reads.
    async fn print_attempts(&mut self, job: &PastJob) -> Result<bool, Failure> {
        let wanted = job.attempts.iter().filter(|attempt| attempt.n > self.done && self.only.is_none_or(|n| n == attempt.n));
        for attempt in wanted.collect::<Vec<_>>() {
            let has_ended = attempt.outcome.is_some() || is_over(job.state);
            if !self.print_new(job, attempt)? {
                return Ok(false);
            }
            if has_ended {
                self.print_end(job, attempt).await?;
            }
        }
        Ok(true)
    }

    fn print_new(&mut self, job: &PastJob, attempt: &PastAttempt) -> Result<bool, Failure> {
        let current = match &mut self.current {
            Some(current) if current.n == attempt.n => current,
            _ => {
                note(&log_head(job, attempt));
                self.current.insert(Current { n: attempt.n, file: None, printer: LogPrinter::new() })
            }
        };
        if current.file.is_none() {
            // It is made with the first byte.
            current.file = LogFile::open(self.state_dir, attempt, self.retention).ok();
        }
        let Some(file) = &mut current.file else { return Ok(true) };
        Ok(file.read(|bytes| current.printer.print(bytes))?)
    }

    /// Says what there is of an attempt whose log is not there.
    async fn print_end(&mut self, job: &PastJob, attempt: &PastAttempt) -> Result<(), Failure> {
        self.done = attempt.n;
        let Some(mut current) = self.current.take() else { return Ok(()) };
        if current.file.is_none()
            && let Err(problem) = LogFile::open(self.state_dir, attempt, self.retention)
        {
            let tail = self.store.tail(job.id, attempt.n).await?.unwrap_or_default();
            note(&missing(attempt, &problem, &tail));
            current.printer.print(tail.as_bytes())?;
        }
        current.printer.end()?;
        Ok(())
    }
}

fn missing(attempt: &PastAttempt, problem: &NoLog, tail: &str) -> String {
    let may_be_silent = matches!(problem, NoLog::Missing | NoLog::NotKept(_));
    no_log(&attempt.log, &problem.to_string(), may_be_silent, !tail.is_empty())
}

/// All of it as one object.
async fn print_object(context: &Context<'_>, store: &dyn Store, job: PastJob, only: Option<u32>) -> Result<(), Failure> {
    let mut texts = Vec::new();
    for attempt in job.attempts.iter().filter(|attempt| only.is_none_or(|n| n == attempt.n)) {
        let mut bytes = Vec::new();
        let text = match LogFile::open(&context.config.state_dir, attempt, &context.config.retention) {
            Ok(mut file) => {
                file.read(|piece| {
                    bytes.extend_from_slice(piece);
                    Ok(true)
                })?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            Err(_) => store.tail(job.id, attempt.n).await?.unwrap_or_default(),
        };
        texts.push((attempt.n, text));
    }
    context.print(&JobLogsView::new(&job, &texts, Utc::now()))
}
