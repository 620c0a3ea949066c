//! What `etl-orch prune` removed, or would remove.

use serde::{Serialize, Serializer};

use super::View;
use super::words::{bytes, grouped, seconds};
use crate::plan::decide::retention::{Compacted, Removed};
use crate::plan::model::retention::{Keep, Retention};

/// What was removed.
#[derive(Debug, Clone, Serialize)]
pub struct PruneView {
    dry_run: bool,
    /// Whether a signal came before everything was removed.
    stopped: bool,
    kept: Kept,
    removed: Counts,
    database_file: Option<Lengths>,
    #[serde(skip)]
    signal: Option<i32>,
}

/// How long what is over is kept; `null`: for ever.
#[derive(Debug, Clone, Serialize)]
struct Kept {
    #[serde(rename = "history_seconds", serialize_with = "as_seconds")]
    history: Keep,
    #[serde(rename = "idle_runs_seconds", serialize_with = "as_seconds")]
    idle_runs: Keep,
    #[serde(rename = "logs_seconds", serialize_with = "as_seconds")]
    logs: Keep,
}

#[derive(Debug, Clone, Default, Serialize)]
struct Counts {
    runs: u64,
    jobs: u64,
    decisions: u64,
    windows: u64,
    notices: u64,
    log_files: u64,
    log_bytes: u64,
}

#[derive(Debug, Clone, Serialize)]
struct Lengths {
    bytes_before: u64,
    bytes: u64,
}

fn as_seconds<S: Serializer>(keep: &Keep, serializer: S) -> Result<S::Ok, S::Error> {
    match keep {
        Keep::For(span) => serializer.serialize_f64(seconds(*span)),
        Keep::Forever => serializer.serialize_none(),
    }
}

impl PruneView {
    /// The view before anything is known.
    pub fn new(retention: &Retention) -> Self {
        let Retention { history, idle_runs, logs } = *retention;
        Self {
            dry_run: false,
            stopped: false,
            kept: Kept { history, idle_runs, logs },
            removed: Counts::default(),
            database_file: None,
            signal: None,
        }
    }

    /// What was removed.
    #[must_use]
    pub fn removed(self, removed: Removed) -> Self {
        let Removed { decisions, jobs, runs, windows, notices, log_files, log_bytes } = removed;
        Self { removed: Counts { runs, jobs, decisions, windows, notices, log_files, log_bytes }, ..self }
    }

    /// What would be removed.
    #[must_use]
    pub fn would_remove(self, removed: Removed) -> Self {
        Self { dry_run: true, ..self.removed(removed) }
    }

    /// That a signal came before everything was removed.
    #[must_use]
    pub fn stopped(self, signal: i32) -> Self {
        Self { stopped: true, signal: Some(signal), ..self }
    }

    /// What became of the file of the database.
    #[must_use]
    pub fn compacted(self, compacted: Option<Compacted>) -> Self {
        let lengths = |Compacted { before, after }| Lengths { bytes_before: before, bytes: after };
        Self { database_file: compacted.map(lengths), ..self }
    }

    /// The signal that stopped it.
    pub fn signal(&self) -> Option<i32> {
        self.signal
    }

    fn rows(&self) -> Vec<String> {
        let Counts { runs, jobs, decisions, windows, notices, log_files, log_bytes } = self.removed;
        let Kept { history, idle_runs, logs } = self.kept;
        let rows = [
            (runs, "runs", format!("kept {}; with nothing to do {}", kept(history), kept(idle_runs))),
            (jobs, "jobs", format!("kept {}, with their attempts", kept(history))),
            (decisions, "decisions", format!("that are over, kept {}", kept(history))),
            (windows, "windows", format!("that were collected, kept {}", kept(history))),
            (notices, "notices", format!("of what is over, kept {}", kept(history))),
            (log_files, "log files", format!("kept {}: {}", kept(logs), bytes(log_bytes))),
        ];
        let row = |(number, what, kept): (u64, &str, String)| format!("  {:>9} {what:<9}  {kept}", grouped(number));
        rows.into_iter().filter(|(number, ..)| *number > 0).map(row).collect()
    }
}

fn kept(keep: Keep) -> String {
    match keep {
        Keep::For(_) => format!("for {keep}"),
        Keep::Forever => "for ever".to_owned(),
    }
}

impl View for PruneView {
    fn kind(&self) -> &'static str {
        "prune"
    }

    fn text(&self) -> String {
        let rows = self.rows();
        let mut lines = match (rows.is_empty(), self.dry_run) {
            (true, _) => vec!["nothing to remove: what is over is not older than `retention` keeps it".to_owned()],
            (false, true) => vec!["would be removed, as it is over and older than `retention` keeps it:".to_owned()],
            (false, false) => vec!["removed, as it was over and older than `retention` keeps it:".to_owned()],
        };
        lines.extend(rows);
        if self.stopped {
            lines.push("stopped before the end; the next `etl-orch prune`, or runs, go on".to_owned());
        }
        if let Some(Lengths { bytes_before, bytes: now }) = self.database_file {
            lines.push(format!("the file of the database has {}, and had {}", bytes(now), bytes(bytes_before)));
        }
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_removed_stands_beside_how_long_it_is_kept() {
        let removed = Removed { runs: 8412, jobs: 120, log_files: 950, log_bytes: 35_651_584, ..Removed::default() };
        let retention = Retention { history: Keep::Forever, ..Retention::default() };
        let compacted = Some(Compacted { before: 64_000_000, after: 12_000_000 });
        let pages = [
            PruneView::new(&retention).text(),
            PruneView::new(&retention).would_remove(removed).text(),
            PruneView::new(&Retention::default()).removed(removed).compacted(compacted).text(),
            PruneView::new(&retention).removed(removed).stopped(2).text(),
        ];
        insta::assert_snapshot!(pages.join("\n"));
        let json: serde_json::Value = serde_json::from_str(&PruneView::new(&retention).removed(removed).json().unwrap()).unwrap();
        let keys = [&json["kind"], &json["kept"]["history_seconds"], &json["kept"]["logs_seconds"], &json["removed"]["runs"]];
        assert_eq!(keys, [&"prune".into(), &serde_json::Value::Null, &2_592_000.0.into(), &8412.into()]);
    }
}
