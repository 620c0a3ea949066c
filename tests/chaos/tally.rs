//! Counts of faults, and of what the runs did about them.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// Counts of a scenario.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Invocations that ended, disturbed or not.
    pub(crate) runs: u64,
    /// Processes that were killed.
    pub(crate) kills: u64,
    /// Runs that were asked to stop, and did.
    pub(crate) stops: u64,
    /// Runs that were killed or stopped at once: the record of their last request may be missing.
    pub(crate) cuts: u64,
    /// Other faults, such as closed connections and full disks.
    pub(crate) faults: u64,
    /// Runs that exited with 1; later runs did their work.
    pub(crate) failed_runs: u64,
    /// Undisturbed runs until convergence, in total.
    pub(crate) runs_to_converge: u64,
    /// Jobs on record.
    pub(crate) jobs: u64,
    /// Jobs that were lost.
    pub(crate) lost: u64,
    /// Starts of ETLs beyond the first of their gap.
    pub(crate) repeats: u64,
    /// Successes that were printed.
    pub(crate) successes: u64,
    /// Reports that were made.
    pub(crate) reports: u64,
    /// The longest time that a process of an ETL lived on after a process of etl-orch was killed.
    pub(crate) slowest_end: Duration,
}

impl Tally {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            runs: 0,
            kills: 0,
            stops: 0,
            cuts: 0,
            faults: 0,
            failed_runs: 0,
            runs_to_converge: 0,
            jobs: 0,
            lost: 0,
            repeats: 0,
            successes: 0,
            reports: 0,
            slowest_end: Duration::ZERO,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, kills, stops, cuts, faults, failed_runs, runs_to_converge, jobs, lost, repeats, successes, reports, slowest_end } =
            self;
        write!(f, "{kills} kills, {stops} stops, {faults} other faults, {runs} runs, of which {cuts} cut off and {failed_runs} failed, ")?;
        write!(
            f,
            "{runs_to_converge} to converge; {jobs} jobs, {lost} lost, {repeats} starts repeated, {successes} successes printed, {reports} reports, none lost or made twice; "
        )?;
        write!(f, "slowest end {} ms", slowest_end.as_millis())
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, more: &Self) {
        let Self { runs, kills, stops, cuts, faults, failed_runs, runs_to_converge, jobs, lost, repeats, successes, reports, slowest_end } =
            more;
        self.runs += runs;
        self.kills += kills;
        self.stops += stops;
        self.cuts += cuts;
        self.faults += faults;
        self.failed_runs += failed_runs;
        self.runs_to_converge += runs_to_converge;
        self.jobs += jobs;
        self.lost += lost;
        self.repeats += repeats;
        self.successes += successes;
        self.reports += reports;
        self.slowest_end = self.slowest_end.max(*slowest_end);
    }
}
