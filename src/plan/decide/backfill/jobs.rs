//! Which windows make one job, and how many jobs a source gets.

use crate::plan::model::collection::Collection;
use crate::plan::model::source::{CatchUp, Source, SourceIndex};
use crate::plan::model::window::Window;
use crate::plan::text::placeholder::Placeholder;

/// A window that is to be collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) window: Window,
    /// The service's id of the job that was started for it.
    pub(super) remote_id: Option<String>,
    /// Whether it is missing, and not just wanted again.
    pub(super) is_behind: bool,
    /// Whether it was collected before.
    pub(super) is_again: bool,
}

/// The windows of one job, in a row.
#[derive(Debug)]
pub(super) struct Group {
    window: Window,
    windows: u64,
    /// How many of them are missing.
    pub(super) behind: u64,
    remote_id: Option<String>,
    is_again: bool,
}

impl Group {
    pub(super) fn collection(self, source: SourceIndex) -> Collection {
        Collection { source, window: self.window, windows: self.windows, remote_id: self.remote_id }
    }
}

/// The jobs for these windows, which are sorted: those that were collected before come last. A job that a service has begun is
/// followed for exactly its windows.
pub(super) fn groups(source: &Source, rows: Vec<Row>) -> Vec<Group> {
    let (may_join, most) = match source.catch_up {
        CatchUp::Coalesce => (true, usize::MAX),
        CatchUp::Each | CatchUp::Independent => (false, source.max_windows),
    };
    let by_year = source.uses(Placeholder::WindowYear);
    let year = |window: Window| source.cadence.year_of(window.start);
    let belongs = |group: &Group, row: &Row| match (&group.remote_id, &row.remote_id) {
        _ if group.is_again != row.is_again => false,
        // One remote id is one job, also where an operator asked for overlapping windows of another length, or gave some of its windows up.
        (Some(one), Some(other)) => one == other,
        (None, None) => may_join && group.window.end == row.window.start && !(by_year && year(group.window) != year(row.window)),
        (Some(_), None) | (None, Some(_)) => false,
    };
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let behind = u64::from(row.is_behind);
        match groups.last_mut() {
            Some(group) if belongs(group, &row) => {
                group.window.end = group.window.end.max(row.window.end);
                group.windows += 1;
                group.behind += behind;
            }
            Some(_) | None => {
                groups.push(Group { window: row.window, windows: 1, behind, remote_id: row.remote_id, is_again: row.is_again });
            }
        }
    }
    groups.truncate(most);
    groups
}

/// Shares at most `most` jobs out among sources that want so many each: one each, in their order, round by round.
pub(super) fn deal(wanted: &[usize], most: usize) -> Vec<usize> {
    let mut dealt = vec![0; wanted.len()];
    let mut left = most.min(wanted.iter().sum());
    while left > 0 {
        for (dealt, wanted) in dealt.iter_mut().zip(wanted) {
            if left > 0 && *dealt < *wanted {
                *dealt += 1;
                left -= 1;
            }
        }
    }
    dealt
}
