//! The vocabulary of stopping: how urgent it is, and why.

use std::fmt;

/// How urgently something is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum StopLevel {
    /// Go on.
    #[default]
    None,
    /// SIGTERM to the process group, the grace period, then SIGKILL. A service's job is cancelled, where that is possible.
    Graceful,
    /// SIGKILL to the process group now. A service's job goes on.
    Immediate,
}

/// Why something is asked to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// The run received this signal.
    Signal(i32),
    /// The guard of the run was killed: nobody asked for anything, and the run ends at once.
    GuardGone,
    /// What happens cannot be recorded: the database refuses it, or was away for too long.
    DatabaseFailed,
    /// The run could not renew its lease in time.
    LeaseLate,
    /// Another host took the run for dead and has its claims.
    RunLost,
    /// An operator cancelled the job.
    Cancelled {
        by: String,
        /// The operator's own words.
        reason: String,
    },
    /// Another invocation has the claim on the job.
    ClaimLost,
}

impl StopReason {
    /// Whether it stops one job and not the whole run.
    #[must_use]
    pub fn is_of_job(&self) -> bool {
        match self {
            Self::Cancelled { .. } | Self::ClaimLost => true,
            Self::Signal(_) | Self::GuardGone | Self::DatabaseFailed | Self::LeaseLate | Self::RunLost => false,
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(number) => write!(f, "the run received signal {number}"),
            Self::GuardGone => f.write_str("the process that guards the run is gone"),
            Self::DatabaseFailed => f.write_str("the database failed"),
            Self::LeaseLate => f.write_str("the lease could not be renewed in time"),
            Self::RunLost => f.write_str("another host took this run for dead; its claims are gone"),
            Self::Cancelled { by, reason } => write!(f, "cancelled by {by}: {reason}"),
            Self::ClaimLost => f.write_str("its claim was taken by another invocation"),
        }
    }
}
