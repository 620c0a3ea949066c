//! The mark that every process of a run carries. By it the next run finds what outlived both processes of etl-orch.
//!
//! It is there twice. A variable of the environment is easy to see for people, but is lost with `env -i`, when a process writes over
//! its environment (`setproctitle`), and cannot be read of another user's process. So it is a resource limit too: descendants inherit
//! that whatever they do to their session, user, environment or open files, and everybody can read it. The limit is that of the CPU time of
//! real-time scheduling (`RLIMIT_RTTIME`, microseconds); the numbers that are used as marks are longer than any process can run.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};

use crate::plan::model::ids::RunId;

/// The variable that carries a run's id.
const VARIABLE: &str = "ETL_ORCH_RUN_ID";

/// The lowest number that is a mark: 146,000 years in microseconds.
const LOWEST: u64 = 1 << 62;

/// The line of `/proc/PID/limits` that has it.
const LINE: &str = "Max realtime timeout";

/// The mark of a run.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    variable: Vec<u8>,
    limit: u64,
}

impl Mark {
    pub(crate) fn of(run: RunId) -> Self {
        // The last 62 bits of a random UUID, which are all random.
        let bits = u64::try_from(run.number() & u128::from(LOWEST - 1)).unwrap_or_default();
        Self { variable: format!("{VARIABLE}={run}").into_bytes(), limit: LOWEST | bits }
    }

    /// Starts a process that has the limit, as it inherits ours. Where real-time scheduling is limited already that stays as it is, and only
    /// the variable tells.
    pub(crate) fn put_on<T>(&self, start: impl FnOnce() -> T) -> T {
        let ours = getrlimit(Resource::Rttime);
        let is_free = ours.maximum.is_none() && ours.current.is_none_or(|limit| limit >= LOWEST);
        let is_set = is_free && setrlimit(Resource::Rttime, Rlimit { current: Some(self.limit), ..ours }).is_ok();
        let started = start();
        if is_set {
            // It fails for no limit that we had before.
            let _ = setrlimit(Resource::Rttime, ours);
        }
        started
    }

    /// Whether a process carries the mark. Where neither can be read it counts as one that does not.
    pub(crate) fn is_on(&self, pid: Pid) -> bool {
        let read = |name| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        limit(&String::from_utf8_lossy(&read("limits"))) == Some(self.limit)
            || read("environ").split(|byte| *byte == 0).any(|variable| variable == self.variable)
    }
}

/// The limit in a text of `/proc/PID/limits`; `None` where there is none.
fn limit(limits: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(LINE))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_read_as_the_kernel_writes_it() {
        let text = |limit: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max cpu time              unlimited            unlimited            seconds   \n\
                 Max realtime timeout      {limit:<20} unlimited            us        \n"
            )
        };
        assert_eq!(limit(&text("4611686018427387905")), Some(4_611_686_018_427_387_905));
        assert_eq!(limit(&text("unlimited")), None);
        assert_eq!(limit(""), None);
        assert_eq!(limit(LINE), None);
    }

    #[test]
    fn what_is_started_carries_the_mark_and_we_do_not() {
        let mark = Mark::of(RunId::parse("22222222-2222-4222-8222-222222222222").unwrap());
        let start = || std::process::Command::new("env").args(["-i", "sleep", "1000"]).env_clear().env("PATH", "/usr/bin:/bin").spawn();
        let mut child = mark.put_on(start).unwrap();
        let (is_on, is_on_us) = (mark.is_on(Pid::from_child(&child)), mark.is_on(rustix::process::getpid()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_on && !is_on_us);
    }

    #[test]
    fn two_runs_have_two_marks_and_neither_limits_anything() {
        let mark = |id: &str| Mark::of(RunId::parse(id).unwrap());
        let (a, b) = (mark("11111111-1111-4111-8111-111111111111"), mark("11111111-1111-4111-8111-111111111112"));
        assert_ne!(a.limit, b.limit);
        for limit in [a.limit, b.limit, mark("ffffffff-ffff-4fff-bfff-ffffffffffff").limit] {
            assert!((LOWEST..LOWEST * 2).contains(&limit), "{limit}");
        }
    }
}
