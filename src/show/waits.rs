//! What a request to a service waits for, in words and for programs.

use chrono::{DateTime, TimeDelta, Utc};

use super::words::Time;
use crate::plan::run::event::{ServiceWait, WaitReason};

/// `waits for the rate of HOST`, as it is seen at `now`. The host is as the configuration has it.
pub(super) fn in_words(wait: &ServiceWait, now: DateTime<Utc>) -> String {
    let host = &wait.host;
    match wait.reason {
        WaitReason::Rate => format!("waits for the rate of {host}"),
        WaitReason::OtherJobs => format!("waits for other jobs at {host}"),
        WaitReason::Pause(until) if until > now => {
            let is_near = until - now < TimeDelta::hours(12);
            let until = if is_near { Time(until).clock() } else { Time(until).beside(Time(now)) };
            format!("waits until {until}, as {host} asks")
        }
        WaitReason::Pause(_) => format!("waits for its turn at {host}"),
    }
}

/// For programs.
pub(super) fn name(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::Rate => "rate",
        WaitReason::Pause(_) => "pause",
        WaitReason::OtherJobs => "other_jobs",
    }
}
