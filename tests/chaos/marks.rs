//! What the ETLs told of themselves.

use std::fmt;

/// A line that an ETL wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) what: What,
    /// `RY-CA/2025Q2/call_summary`.
    pub(crate) gap: String,
    pub(crate) job: String,
    pub(crate) attempt: u32,
    pub(crate) fence: u64,
    pub(crate) run: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// It begins.
    Start,
    /// It has made its report.
    End,
    /// It begins, and something of an earlier start is still alive.
    Overlap,
}

impl Mark {
    /// Reads the marks in the order in which they were written.
    pub(crate) fn read(text: &str) -> Vec<Self> {
        text.lines().map(|line| Self::of(line).unwrap_or_else(|| panic!("no mark: {line:?}"))).collect()
    }

    fn of(line: &str) -> Option<Self> {
        let [what, gap, job, attempt, fence, run] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let what = match what {
            "start" => What::Start,
            "end" => What::End,
            "overlap" => What::Overlap,
            _ => return None,
        };
        let (attempt, fence) = (attempt.parse().ok()?, fence.parse().ok()?);
        Some(Self { what, gap: gap.to_owned(), job: job.to_owned(), attempt, fence, run: run.to_owned() })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, gap, job, attempt, fence, run } = self;
        write!(f, "{what:?} of {gap}, job {job}, attempt {attempt}, fence {fence}, run {run}")
    }
}
