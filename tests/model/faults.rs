//! What goes wrong with attempts, and what the program makes of it.

use std::time::Duration;

use etl_orch::plan::model::outcome;
use etl_orch::plan::model::said::Said;
use etl_orch::plan::model::work::Work;
use etl_orch::plan::run::aftermath::{Aftermath, Attempted, Finding, outcome};
use etl_orch::plan::run::ended::{End, Ended};
use etl_orch::plan::run::job_end::Artifact;
use proptest::prelude::*;

/// What goes wrong with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It exits 1.
    Fails,
    /// It exits 65.
    Permanent,
    /// It exits 66.
    NotReady,
    /// It exits 78.
    Misconfigured,
    /// A signal ends it.
    Crashes,
    /// A service may have begun it, or not.
    Uncertain,
    /// Its program cannot be started.
    SpawnFails,
    /// There is no room for what it needs before its program is started.
    NoRoom,
    /// It exits 1, but only in every so many attempts.
    Flaky(u64),
    /// The run is stopping.
    Stopped,
}

impl Fault {
    /// Whether it shows in this attempt of all.
    pub(crate) fn strikes(self, attempts: u64) -> bool {
        !matches!(self, Self::Flaky(every) if !attempts.is_multiple_of(every))
    }
}

/// All that an ETL or its host may do wrong.
pub(crate) fn any_fault() -> impl Strategy<Value = Fault> + Clone {
    prop_oneof![
        6 => Just(Fault::Fails),
        2 => Just(Fault::Permanent),
        4 => Just(Fault::NotReady),
        2 => Just(Fault::Misconfigured),
        4 => Just(Fault::Flaky(2)),
        1 => Just(Fault::Crashes),
        1 => Just(Fault::Uncertain),
        1 => Just(Fault::SpawnFails),
        1 => Just(Fault::NoRoom),
    ]
}

/// What follows from an attempt with this fault. `artifact` is what it makes without one.
pub(crate) fn aftermath(attempted: &Attempted<'_>, fault: Option<Fault>, artifact: Artifact) -> Aftermath {
    let end = end(fault);
    let ended = Ended {
        end,
        duration: Duration::from_secs(30),
        tail: String::new(),
        pid: None,
        answer: None,
        service_job: None,
        remote_id: None,
        said: Said::default(),
        error: None,
    };
    let finding = found(&ended, attempted.work, artifact);
    attempted.aftermath(&ended, finding)
}

/// What is claimed to be there is there.
fn found(ended: &Ended, work: &Work, artifact: Artifact) -> Finding {
    outcome(ended, work).map_or(Finding::Succeeded(artifact), Finding::Failed)
}

/// What the executor sees.
fn end(fault: Option<Fault>) -> End {
    match fault {
        None => End::Exited(0),
        Some(Fault::Fails | Fault::Flaky(_)) => End::Exited(1),
        Some(Fault::Permanent) => End::Exited(65),
        Some(Fault::NotReady) => End::Exited(66),
        Some(Fault::Misconfigured) => End::Exited(78),
        Some(Fault::Crashes) => End::Signalled(11),
        Some(Fault::Uncertain) => End::Reported { why: "no answer".to_owned(), fault: outcome::Fault::Uncertain },
        Some(Fault::SpawnFails) => End::SpawnFailed("it cannot be started".to_owned()),
        Some(Fault::NoRoom) => End::HostShort("no room".to_owned()),
        Some(Fault::Stopped) => End::Stopped,
    }
}
