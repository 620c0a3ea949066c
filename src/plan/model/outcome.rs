//! How an attempt can end, and what follows from each end.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::model::patterns::{self, EndClass, EndPattern};

use crate::plan::text::span;

/// The end of one try of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The program or the service reported success, and the report exists (or the collection is reported or verified).
    Succeeded,
    /// The process exited with a code other than 0.
    ExitCode(i32),
    /// The process was ended by a signal that was not ours.
    Signal(i32),
    /// The process ran longer than its timeout and was ended.
    TimedOut(Duration),
    /// There is no process: the program could not be started.
    SpawnFailed {
        /// The reason.
        why: String,
        /// Whether another attempt may work: memory or processes were short, while the program itself is fine.
        may_pass: bool,
    },
    /// The program or the service reported success, but the report is missing, or is the one from before.
    NoOutput(String),
    /// The program or the service reported success, but its report's row is spelled otherwise than the configuration says, so that it is
    /// not found. The reason.
    Misspelled(String),
    /// A program or a service reported an error, or a service did not take a request.
    ReportedError {
        /// The reason.
        why: String,
        /// What can be done about it.
        fault: Fault,
        /// The exit code of a program.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit: Option<i32>,
    },
    /// It was done, or could not be begun, as this host has no room or no rights for its files. The reason.
    HostUnfit(String),
    /// The input is not ready; the process reported that with this exit code.
    NotReady(i32),
    /// Ended because etl-orch is stopping, or the job was cancelled.
    Interrupted,
    /// Its end is unknown: etl-orch died while it ran.
    Lost,
}

/// What can be done about an error that was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Trying again may help.
    Transient,
    /// The same request fails every time.
    Permanent,
    /// The configuration must be corrected.
    Configuration,
    /// The service is overloaded; trying later may help.
    Busy,
    /// The service may have started the job all the same, so it must not be triggered again now.
    Uncertain,
    /// This host could not send the request, as it was short of open files or memory.
    HostShort,
    /// The service does not know the job any more, while it had others: nobody knows which of them brought it down.
    JobsLost,
}

impl Outcome {
    /// The name under which the outcome is stored.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::ExitCode(_) => "exit_code",
            Self::Signal(_) => "signal",
            Self::TimedOut(_) => "timed_out",
            Self::SpawnFailed { .. } => "spawn_failed",
            Self::NoOutput(_) | Self::Misspelled(_) => "no_output",
            Self::ReportedError { .. } => "reported_error",
            Self::HostUnfit(_) => "host_unfit",
            Self::NotReady(_) => "not_ready",
            Self::Interrupted => "interrupted",
            Self::Lost => "lost",
        }
    }

    /// The number that goes with `exit_code`, `signal`, `not_ready` and `reported_error`.
    #[must_use]
    pub fn number(&self) -> Option<i32> {
        match self {
            Self::ExitCode(number) | Self::Signal(number) | Self::NotReady(number) => Some(*number),
            Self::ReportedError { exit, .. } => *exit,
            Self::Succeeded
            | Self::TimedOut(_)
            | Self::SpawnFailed { .. }
            | Self::NoOutput(_)
            | Self::Misspelled(_)
            | Self::HostUnfit(_)
            | Self::Interrupted
            | Self::Lost => None,
        }
    }
}

/// What a person reads: `exit code 3`, `no output: ...`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => write!(f, "succeeded"),
            Self::ExitCode(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut(limit) => write!(f, "timed out after {}", span::exact(*limit)),
            Self::SpawnFailed { why, .. } => write!(f, "could not be started: {why}"),
            Self::NoOutput(why) | Self::Misspelled(why) => write!(f, "no output: {why}"),
            Self::ReportedError { why, .. } | Self::HostUnfit(why) => f.write_str(why),
            Self::NotReady(_) => write!(f, "not ready"),
            Self::Interrupted => write!(f, "interrupted"),
            Self::Lost => write!(f, "lost"),
        }
    }
}

/// What an outcome means for the job, its ETL and its budget of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The job is done.
    Success,
    /// Trying again cannot help.
    Permanent,
    /// The ETL itself is set up wrongly: it stops for everyone in this run, and nobody's budget is charged.
    Configuration,
    /// This host has no room or no rights for the files of the job: says nothing of the gap or its ETL, and another attempt in this run
    /// would be for nothing.
    HostUnfit,
    /// Not a failure: the input is not there yet.
    NotReady,
    /// Worth another attempt.
    Transient,
    /// It may go on, or have gone on, without being seen: not worth another attempt before it can have ended.
    Uncertain,
    /// The process died; worth another attempt.
    Crash,
    /// This host was short of processes, memory, open files or room, or a service lost all its jobs: worth another attempt, and says
    /// nothing of the gap or its ETL.
    HostShort,
    /// etl-orch ended it; it does not count as an attempt.
    Interrupted,
}

/// Which exits of an ETL mean what. Codes in no set are transient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitCodes {
    /// What last lines mean, which goes before the codes. Default: nothing.
    pub patterns: Vec<EndPattern>,
    /// Default 65 (`EX_DATAERR`).
    pub permanent: BTreeSet<i32>,
    /// Default 64, 77, 78 (`EX_USAGE`, `EX_NOPERM`, `EX_CONFIG`), 126 and 127 (the shell's "cannot run").
    pub config: BTreeSet<i32>,
    /// Default 66 (`EX_NOINPUT`).
    pub not_ready: BTreeSet<i32>,
    /// Default 69 and 75 (`EX_UNAVAILABLE`, `EX_TEMPFAIL`).
    pub transient: BTreeSet<i32>,
}

impl Default for ExitCodes {
    fn default() -> Self {
        Self {
            patterns: Vec::new(),
            permanent: BTreeSet::from([65]),
            config: BTreeSet::from([64, 77, 78, 126, 127]),
            not_ready: BTreeSet::from([66]),
            transient: BTreeSet::from([69, 75]),
        }
    }
}

impl ExitCodes {
    /// The outcome that an exit code other than 0 stands for.
    #[must_use]
    pub fn outcome(&self, code: i32) -> Outcome {
        if self.not_ready.contains(&code) { Outcome::NotReady(code) } else { Outcome::ExitCode(code) }
    }

    /// The outcome by the last lines of a program that exited with a code other than 0, and the line that says it.
    #[must_use]
    pub fn by_last_lines<'a>(&self, code: i32, tail: &'a str) -> Option<(Outcome, Option<&'a str>)> {
        let (class, line) = patterns::class_of(&self.patterns, code, tail)?;
        let fault = match class {
            EndClass::NotReady => return Some((Outcome::NotReady(code), line)),
            EndClass::Permanent => Fault::Permanent,
            EndClass::Config => Fault::Configuration,
            EndClass::Transient => Fault::Transient,
        };
        let said = line.map(|line| format!(": {}", line.trim())).unwrap_or_default();
        Some((Outcome::ReportedError { why: format!("exit code {code}{said}"), fault, exit: Some(code) }, line))
    }

    /// What an outcome means under these codes.
    #[must_use]
    pub fn classify(&self, outcome: &Outcome) -> Class {
        match outcome {
            Outcome::Succeeded => Class::Success,
            Outcome::ExitCode(code) if self.permanent.contains(code) => Class::Permanent,
            Outcome::ExitCode(code) if self.config.contains(code) => Class::Configuration,
            Outcome::SpawnFailed { may_pass: false, .. } | Outcome::Misspelled(_) => Class::Configuration,
            Outcome::HostUnfit(_) => Class::HostUnfit,
            Outcome::NotReady(_) => Class::NotReady,
            Outcome::SpawnFailed { may_pass: true, .. } => Class::HostShort,
            Outcome::ExitCode(_) | Outcome::TimedOut(_) | Outcome::NoOutput(_) => Class::Transient,
            Outcome::ReportedError { fault, .. } => match fault {
                Fault::Transient => Class::Transient,
                Fault::Permanent => Class::Permanent,
                Fault::Configuration => Class::Configuration,
                Fault::Busy => Class::NotReady,
                Fault::Uncertain => Class::Uncertain,
                Fault::HostShort | Fault::JobsLost => Class::HostShort,
            },
            Outcome::Signal(_) | Outcome::Lost => Class::Crash,
            Outcome::Interrupted => Class::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_code_has_its_class() {
        let codes = ExitCodes::default();
        for (code, class) in [
            (1, Class::Transient),
            (2, Class::Transient),
            (64, Class::Configuration),
            (65, Class::Permanent),
            (66, Class::NotReady),
            (69, Class::Transient),
            (75, Class::Transient),
            (77, Class::Configuration),
            (78, Class::Configuration),
            (126, Class::Configuration),
            (127, Class::Configuration),
        ] {
            assert_eq!(codes.classify(&codes.outcome(code)), class, "{code}");
        }
    }

    #[test]
    fn codes_can_be_moved() {
        let codes = ExitCodes { config: BTreeSet::from([2]), not_ready: BTreeSet::from([3]), ..ExitCodes::default() };
        assert_eq!(codes.classify(&codes.outcome(2)), Class::Configuration);
        assert_eq!(codes.outcome(3), Outcome::NotReady(3));
        assert_eq!(codes.outcome(66), Outcome::ExitCode(66));
    }

    #[test]
    fn ends_without_a_code() {
        let codes = ExitCodes::default();
        assert_eq!(codes.classify(&Outcome::Signal(9)), Class::Crash);
        for (may_pass, class) in [(false, Class::Configuration), (true, Class::HostShort)] {
            assert_eq!(codes.classify(&Outcome::SpawnFailed { why: String::new(), may_pass }), class);
        }
        assert_eq!(codes.classify(&Outcome::TimedOut(Duration::from_secs(1))), Class::Transient);
        assert_eq!(codes.classify(&Outcome::NoOutput(String::new())), Class::Transient);
        assert_eq!(codes.classify(&Outcome::Interrupted), Class::Interrupted);
    }
}
