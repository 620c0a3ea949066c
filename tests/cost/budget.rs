//! How much a run may cost: about a tenth more than it does. What hangs on how threads take turns has more room.

use std::fmt::Write as _;

use crate::counts::Counts;

/// What may be counted at most.
pub(crate) struct Budget {
    what: &'static str,
    idle: f64,
    job: f64,
}

const fn at_most(what: &'static str, idle: f64, job: f64) -> Budget {
    Budget { what, idle, job }
}

pub(crate) const SQLITE: &[Budget] = &[
    at_most("processes", 1.0, 1.0),
    at_most("transactions", 2.0, 2.2),
    at_most("pages", 7.0, 14.5),
    at_most("waits for the disk", 6.0, 4.6),
    at_most("system calls", 1750.0, 313.0),
    at_most("waits for threads", 450.0, 75.0),
];

pub(crate) const POSTGRES: &[Budget] = &[
    at_most("processes", 1.0, 1.0),
    at_most("transactions", 22.0, 2.3),
    at_most("statements", 25.0, 12.2),
    at_most("bytes of log", 1300.0, 5050.0),
    at_most("waits for the disk", 0.0, 2.1),
    at_most("system calls", 1450.0, 286.0),
    at_most("waits for threads", 160.0, 44.0),
];

/// What was seen beside what may be, as a table in Markdown, and below it the most frequent system calls.
pub(crate) struct Table {
    pub(crate) text: String,
    pub(crate) is_kept: bool,
}

impl Table {
    pub(crate) fn of(budgets: &[Budget], idle: &Counts, per_job: &Counts) -> Self {
        let mut text = format!("| {:<22} | {:>9} | {:>7} | {:>9} | {:>7} |\n", "", "idle run", "budget", "per job", "budget");
        text += "|------------------------|----------:|--------:|----------:|--------:|\n";
        let mut is_kept = true;
        for budget in budgets {
            let (seen_idle, seen_job) = (idle.of(budget.what), per_job.of(budget.what));
            let is_over = seen_idle > budget.idle || seen_job > budget.job;
            // What is not seen any more has another name by now.
            let is_unseen = budget.idle > 0.0 && seen_idle <= 0.0 || budget.job > 0.0 && seen_job <= 0.0;
            is_kept &= !is_over && !is_unseen;
            let end = if is_over {
                " over budget |"
            } else if is_unseen {
                " not seen |"
            } else {
                ""
            };
            let Budget { what, idle, job } = budget;
            let _ = writeln!(text, "| {what:<22} | {seen_idle:>9.0} | {idle:>7.0} | {seen_job:>9.2} | {job:>7.2} |{end}");
        }
        let calls = per_job.most_first().into_iter().filter_map(|(what, many)| Some((what.strip_prefix("call ")?, many)));
        let calls: Vec<String> = calls.take(20).map(|(name, many)| format!("{many:.1} {name}")).collect();
        let _ = write!(text, "\nSystem calls of a job: {}.\n", calls.join(", "));
        Self { text, is_kept }
    }
}
