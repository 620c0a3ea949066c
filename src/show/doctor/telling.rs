//! Who learns of runs, in sentences.

use std::cmp::Reverse;

use super::super::words::{Time, count};
use super::finding::{Finding, fault};
use crate::plan::decide::checkup::{ChannelFacts, Fault, Looked, NotLooked, Sight, Status, Subject, Waiting};

const TRY: &str = "etl-orch tell test";

/// Who learns of a run that fails, or of none at all. What is wrong comes first.
pub(super) fn finding(channels: &Looked<Vec<ChannelFacts>>) -> Finding {
    Finding::of(Subject::Telling, channels, |channels| {
        let Some(worst) = channels.iter().map(ChannelFacts::status).max() else {
            return Finding::new(Subject::Telling, Status::Warning, "nobody is told when runs fail, or when none starts any more")
                .mended_by("configure a channel under `tell`; docs/monitoring.md says how");
        };
        let known = channels.iter().filter_map(|channel| Some((channel.status(), part(channel)?)));
        let mut parts: Vec<(Status, Fault)> = known.collect();
        let not_tried: Vec<&str> = channels.iter().filter(|channel| is_blind(channel)).map(|channel| channel.shown.as_str()).collect();
        if !not_tried.is_empty() {
            parts.push((Status::Unknown, fault(format!("not tried: {}", not_tried.join(", ")), TRY)));
        }
        parts.sort_by_key(|(status, _)| Reverse(*status));
        Finding::of_parts(Subject::Telling, worst, parts.into_iter().map(|(_, part)| part).collect())
    })
}

/// Whether nothing is known of a channel.
fn is_blind(channel: &ChannelFacts) -> bool {
    channel.untold.is_none() && matches!(channel.sight, Sight::Nothing | Sight::Outbox(Ok(None)))
}

/// What is known of a channel.
fn part(channel: &ChannelFacts) -> Option<Fault> {
    let ChannelFacts { shown, sight, untold, .. } = channel;
    Some(match (sight, untold) {
        (Sight::File(Err(error)), _) => {
            fault(format!("{shown}: it cannot be written: {error}"), "make its directory, or correct its owner or mode")
        }
        (Sight::Outbox(Ok(Some(Waiting { messages, since }))), _) => {
            let waiting = count(*messages as u64, "message");
            let found = format!("{shown}: {waiting} not received, the oldest of {}", Time(*since));
            fault(found, format!("the next run sends them; to see why they wait: {TRY}"))
        }
        (Sight::Outbox(Err(why)), _) => not_looked(shown, why),
        (_, Some(at)) => fault(format!("{shown}: a run could not tell it everything, and said so {}", Time(*at)), TRY),
        (Sight::File(Ok(())), None) => format!("{shown}: it can be written").into(),
        (Sight::Nothing | Sight::Outbox(Ok(None)), None) => return None,
    })
}

fn not_looked(shown: &str, why: &NotLooked) -> Fault {
    let reason = match why {
        NotLooked::Because(reason) => reason.as_str(),
        NotLooked::Needs(_) => "something else is wrong",
    };
    format!("{shown}: what waits for it could not be looked at: {reason}").into()
}
