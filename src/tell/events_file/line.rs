//! What happens to jobs in the envelope `{"event_type", "data"}`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value as Json, json};

use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::JobState;
use crate::plan::model::said::{Stage, StageState};
use crate::plan::run::event::{Event, EventKind, JobEvent, JobName, JobRef};
use crate::plan::text::size::{grouped, shortened};

/// Most bytes of one text.
const LONGEST: usize = 16 * 1024;

/// Makes lines from the events of a run.
pub(super) struct Lines {
    run: RunId,
    jobs: Vec<JobName>,
}

/// The type of an event, and what it says beside which job it is of.
type Told = (&'static str, Json);

impl Lines {
    pub(super) fn new(run: RunId) -> Self {
        Self { run, jobs: Vec::new() }
    }

    /// The line of an event, without its end; `None` where there is none.
    pub(super) fn event(&mut self, event: &Event) -> Option<String> {
        match &event.kind {
            EventKind::RunStarted { jobs, .. } => {
                self.jobs.clone_from(jobs);
                None
            }
            EventKind::RunStopping { .. } => None,
            EventKind::Job { job, event: of_job } => {
                let (event_type, told) = told(of_job)?;
                let mut data = self.job(event.at, *job);
                if let Json::Object(told) = told {
                    data.extend(told.into_iter().filter(|(_, value)| !value.is_null()));
                }
                Some(json!({"event_type": event_type, "data": data}).to_string())
            }
        }
    }

    /// Which job it is, and when.
    fn job(&self, at: DateTime<Utc>, job: JobRef) -> Map<String, Json> {
        let mut data = Map::new();
        let mut add = |key: &str, value: String| drop(data.insert(key.to_owned(), value.into()));
        add("time", instant(at));
        add("run_id", self.run.to_string());
        add("job_id", job.id.to_string());
        let Some(name) = self.jobs.get(job.index) else { return data };
        add("gap", name.gap.to_string());
        match &name.gap {
            GapKey::Report { bank, period, etl } => {
                add("bank", bank.clone());
                add("period", period.compact());
                add("etl", etl.clone());
            }
            GapKey::Source(source) | GapKey::Window { source, .. } => add("source", source.clone()),
            GapKey::Group { .. } => {}
        }
        data
    }
}

/// A line that is of no job.
pub(super) fn test_line(at: DateTime<Utc>) -> String {
    json!({"event_type": "test", "data": {"time": instant(at), "message": "etl-orch tell test"}}).to_string()
}

fn told(event: &JobEvent) -> Option<Told> {
    let progress = |status: &str, message: String| Some(("job_progress", json!({"status": status, "message": message})));
    match event {
        JobEvent::WaitsForPool(Some(pool)) => progress("waiting", format!("waits for the pool {pool}")),
        JobEvent::WaitsForService(Some(wait)) => progress("waiting", format!("waits for {}", wait.host)),
        JobEvent::WaitsForPool(None) | JobEvent::WaitsForService(None) | JobEvent::AttemptEnded { .. } => None,
        JobEvent::AttemptStarted { attempt, of } => {
            let message = format!("attempt {attempt} of {of} started");
            Some(("job_progress", json!({"status": "running", "progress": 0, "message": message, "attempt": attempt})))
        }
        JobEvent::Stage(stage) => Some(("job_progress", of_stage(stage))),
        JobEvent::ProgressBar(bar) => progress("running", cut(bar)),
        JobEvent::Line(line) => Some(("job_log", json!({"level": "info", "message": cut(line)}))),
        JobEvent::LinesOmitted(lines) => {
            let message = format!("{} lines are only in the log of the attempt", grouped(*lines));
            Some(("job_log", json!({"level": "warning", "message": message})))
        }
        JobEvent::Retrying { attempt, of, error, log, delay } => {
            let message = format!("attempt {attempt} of {of} failed: {}", cut(error));
            let delay = delay.map(|delay| delay.as_secs_f64());
            let data = json!({"level": "error", "message": message, "attempt": attempt, "retry_in_seconds": delay, "log": log});
            Some(("job_log", data))
        }
        JobEvent::Ended { state, duration, reason, log } => {
            let (event_type, why) = if *state == JobState::Succeeded { ("job_complete", "message") } else { ("job_error", "error") };
            let mut data = json!({"status": state.name(), "duration_seconds": duration.as_secs_f64(), "log": log});
            if let (Json::Object(data), Some(reason)) = (&mut data, reason) {
                data.insert(why.to_owned(), cut(reason).into());
            }
            Some((event_type, data))
        }
    }
}

fn of_stage(stage: &Stage) -> Json {
    let records = &stage.records;
    let done = if stage.state == StageState::Complete { Some(100) } else { None };
    let part = records.estimate.filter(|all| *all > 0).zip(records.read.or(records.written));
    // Counts may exceed what was estimated, and a stage that is not over is not complete.
    let progress = done.or(part.map(|(all, done)| (done.saturating_mul(100) / all).min(99)));
    json!({
        "status": "running",
        "stage": stage.name,
        "stage_status": stage.state.name(),
        "progress": progress,
        "records_read": records.read,
        "records_written": records.written,
        "records_rejected": records.rejected,
        "records_total": records.estimate,
    })
}

fn cut(text: &str) -> String {
    shortened(text, LONGEST).into_owned()
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::test_events::{events, run_id};

    #[test]
    fn each_event_of_a_job_is_a_line() {
        let mut lines = Lines::new(run_id());
        let told: Vec<String> = events().iter().filter_map(|event| lines.event(event)).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        {"event_type":"job_progress","data":{"time":"2026-01-16T06:15:01.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000001001","gap":"RY-CA/2025Q2/call_summary","bank":"RY-CA","period":"2025Q2","etl":"call_summary","status":"running","progress":0,"message":"attempt 1 of 3 started","attempt":1}}
        {"event_type":"job_log","data":{"time":"2026-01-16T06:15:02.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000001001","gap":"RY-CA/2025Q2/call_summary","bank":"RY-CA","period":"2025Q2","etl":"call_summary","level":"info","message":"\u001b[31mreading \"RY\""}}
        {"event_type":"job_progress","data":{"time":"2026-01-16T06:15:02.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000002002","gap":"TD-CA/2025Q2/key_themes","bank":"TD-CA","period":"2025Q2","etl":"key_themes","status":"running","progress":0,"message":"attempt 1 of 1 started","attempt":1}}
        {"event_type":"job_progress","data":{"time":"2026-01-16T06:15:03.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000003003","gap":"source:us_house","source":"us_house","status":"waiting","message":"waits for the pool llm"}}
        {"event_type":"job_log","data":{"time":"2026-01-16T06:15:04.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000001001","gap":"RY-CA/2025Q2/call_summary","bank":"RY-CA","period":"2025Q2","etl":"call_summary","level":"error","message":"attempt 1 of 3 failed: exit code 3","attempt":1,"retry_in_seconds":5.0,"log":"/var/logs/2026-01-16/1001/1.log"}}
        {"event_type":"job_error","data":{"time":"2026-01-16T06:15:06.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000002002","gap":"TD-CA/2025Q2/key_themes","bank":"TD-CA","period":"2025Q2","etl":"key_themes","status":"failed","duration_seconds":4.0,"log":"/var/logs/2026-01-16/1001/1.log","error":"ended by signal 11"}}
        {"event_type":"job_progress","data":{"time":"2026-01-16T06:15:09.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000001001","gap":"RY-CA/2025Q2/call_summary","bank":"RY-CA","period":"2025Q2","etl":"call_summary","status":"running","progress":0,"message":"attempt 2 of 3 started","attempt":2}}
        {"event_type":"job_progress","data":{"time":"2026-01-16T06:15:09.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000001001","gap":"RY-CA/2025Q2/call_summary","bank":"RY-CA","period":"2025Q2","etl":"call_summary","status":"running","stage":"extract","stage_status":"started","progress":0,"records_read":0,"records_total":400}}
        {"event_type":"job_progress","data":{"time":"2026-01-16T06:15:10.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000001001","gap":"RY-CA/2025Q2/call_summary","bank":"RY-CA","period":"2025Q2","etl":"call_summary","status":"running","stage":"extract","stage_status":"running","progress":25,"records_read":100,"records_total":400}}
        {"event_type":"job_log","data":{"time":"2026-01-16T06:15:11.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000001001","gap":"RY-CA/2025Q2/call_summary","bank":"RY-CA","period":"2025Q2","etl":"call_summary","level":"warning","message":"7 lines are only in the log of the attempt"}}
        {"event_type":"job_progress","data":{"time":"2026-01-16T06:15:12.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000001001","gap":"RY-CA/2025Q2/call_summary","bank":"RY-CA","period":"2025Q2","etl":"call_summary","status":"running","stage":"extract","stage_status":"complete","progress":100,"records_read":400,"records_total":400}}
        {"event_type":"job_progress","data":{"time":"2026-01-16T06:15:12.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000001001","gap":"RY-CA/2025Q2/call_summary","bank":"RY-CA","period":"2025Q2","etl":"call_summary","status":"running","stage":"load","stage_status":"started","progress":0,"records_read":0,"records_total":400}}
        {"event_type":"job_complete","data":{"time":"2026-01-16T06:15:15.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000001001","gap":"RY-CA/2025Q2/call_summary","bank":"RY-CA","period":"2025Q2","etl":"call_summary","status":"succeeded","duration_seconds":14.0}}
        {"event_type":"job_error","data":{"time":"2026-01-16T06:15:16.000Z","run_id":"00000000-0000-0000-0000-000000007007","job_id":"00000000-0000-0000-0000-000000003003","gap":"source:us_house","source":"us_house","status":"cancelled","duration_seconds":0.0,"error":"the run was stopped"}}
        "#);
    }
}
