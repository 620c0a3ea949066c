//! The trace of a run, in the terms of W3C Trace Context: what its own spans are called, and what children are told to join it.
//!
//! All ids follow from the ids of run and job, so that whoever names a span names the same one.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::plan::model::ids::{JobId, RunId};

/// The id of a span: 8 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(u64);

impl SpanId {
    #[must_use]
    pub fn of_run(run: RunId) -> Self {
        Self::named(&format!("run {run}"))
    }

    #[must_use]
    pub fn of_job(job: JobId) -> Self {
        Self::named(&format!("job {job}"))
    }

    /// `attempt`: from 1.
    #[must_use]
    pub fn of_attempt(job: JobId, attempt: u32) -> Self {
        Self::named(&format!("attempt {job} {attempt}"))
    }

    /// `stage`: its place among the stages of the attempt, from 1.
    #[must_use]
    pub fn of_stage(job: JobId, attempt: u32, stage: u32) -> Self {
        Self::named(&format!("stage {job} {attempt} {stage}"))
    }

    fn named(name: &str) -> Self {
        let first = Sha256::digest(name).iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte));
        Self(first.max(1))
    }
}

/// 16 hexadecimal digits.
impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The trace that the spans of a run are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    /// The span in which the run was started; `None` where the trace begins with the run.
    pub parent: Option<SpanId>,
    /// Whether the trace is to be recorded. Whoever began it decides that.
    pub is_sampled: bool,
    /// Whether somebody is known to look at it: whoever the run inherited it from, or the receiver of its spans.
    pub is_known: bool,
}

impl TraceContext {
    /// The trace of the `TRACEPARENT` that the run has inherited, or else its own. A malformed one counts as none, as the standard asks.
    #[must_use]
    pub fn new(run: RunId, inherited: Option<&str>) -> Self {
        let own = Self { trace: run.number(), parent: None, is_sampled: true, is_known: false };
        inherited.and_then(Self::parse).unwrap_or(own)
    }

    /// Reads `00-TRACE-PARENT-FLAGS`. Versions after 00 may have more behind that.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split('-').collect();
        let [version, trace, parent, flags, more @ ..] = fields.as_slice() else { return None };
        let version = hex(version, 2)?;
        if version == 0xff || version == 0 && !more.is_empty() {
            return None;
        }
        let trace = hex(trace, 32).filter(|trace| *trace != 0)?;
        let parent = hex(parent, 16).and_then(|parent| u64::try_from(parent).ok()).filter(|parent| *parent != 0)?;
        Some(Self { trace, parent: Some(SpanId(parent)), is_sampled: hex(flags, 2)? & 1 == 1, is_known: true })
    }

    /// The same trace, whose spans somebody receives.
    #[must_use]
    pub fn received(self) -> Self {
        Self { is_known: true, ..self }
    }

    /// The id of the trace: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The `TRACEPARENT` of what is done within a span.
    #[must_use]
    pub fn within(&self, span: SpanId) -> String {
        format!("00-{}-{span}-{:02x}", self.trace_id(), u8::from(self.is_sampled))
    }
}

/// A number of so many hexadecimal digits, in lower case.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn run() -> RunId {
        RunId::new(Uuid::from_u128(0xabc))
    }

    #[test]
    fn a_run_begins_a_trace_or_joins_the_one_it_was_started_in() {
        let own = TraceContext::new(run(), None);
        assert_eq!((own.trace_id(), own.parent, own.is_known), (format!("{:032x}", 0xabc), None, false));
        let inherited = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let joined = TraceContext::new(run(), Some(&inherited));
        assert_eq!((joined.trace_id().as_str(), joined.is_known), (TRACE, true));
        assert_eq!(joined.within(joined.parent.unwrap()), inherited);
        let unsampled = TraceContext::new(run(), Some(&format!("00-{TRACE}-00f067aa0ba902b7-02")));
        assert!(!unsampled.is_sampled && unsampled.within(SpanId(1)).ends_with("-0000000000000001-00"));
        assert_eq!(TraceContext::new(run(), Some(&format!("01-{TRACE}-00f067aa0ba902b7-01-more"))).trace_id(), TRACE);
    }

    #[test]
    fn a_malformed_parent_counts_as_none() {
        for text in [
            "",
            "00",
            &format!("00-{TRACE}-00f067aa0ba902b7"),
            &format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-+{}-00f067aa0ba902b7-01", &TRACE[1..]),
        ] {
            assert_eq!(TraceContext::new(run(), Some(text)), TraceContext::new(run(), None), "{text}");
        }
    }

    #[test]
    fn each_span_has_an_id_of_its_own() {
        let job = JobId::new(Uuid::from_u128(0xabc));
        let ids = [
            SpanId::of_run(run()),
            SpanId::of_job(job),
            SpanId::of_attempt(job, 1),
            SpanId::of_attempt(job, 2),
            SpanId::of_stage(job, 1, 1),
            SpanId::of_stage(job, 1, 2),
            SpanId::of_stage(job, 11, 2),
        ];
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }
}
