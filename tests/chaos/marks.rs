//! The lines that the ETLs of the scenarios write about themselves.

use std::fmt;

/// A line of the file `marks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) kind: MarkKind,
    /// `RY-CA/2025Q2/call_summary`.
    pub(crate) gap: String,
    pub(crate) job: String,
    pub(crate) attempt: u32,
    pub(crate) fence: u64,
    pub(crate) run: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkKind {
    /// The ETL has started.
    Start,
    /// The ETL has made its report.
    End,
    /// The ETL has started while a process of an earlier start of the gap is still alive.
    Overlap,
}

impl Mark {
    /// Reads the marks in the order in which they were written.
    pub(crate) fn read(text: &str) -> Vec<Self> {
        text.lines().map(|line| Self::of(line).unwrap_or_else(|| panic!("no mark: {line:?}"))).collect()
    }

    fn of(line: &str) -> Option<Self> {
        let [kind, gap, job, attempt, fence, run] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let kind = match kind {
            "start" => MarkKind::Start,
            "end" => MarkKind::End,
            "overlap" => MarkKind::Overlap,
            _ => return None,
        };
        let (attempt, fence) = (attempt.parse().ok()?, fence.parse().ok()?);
        Some(Self { kind, gap: gap.to_owned(), job: job.to_owned(), attempt, fence, run: run.to_owned() })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, gap, job, attempt, fence, run } = self;
        write!(f, "{kind:?} of {gap}, job {job}, attempt {attempt}, fence {fence}, run {run}")
    }
}
