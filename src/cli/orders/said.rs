//! What is said of an order.

use serde_json::json;

use super::super::args::Format;
use super::gaps::OrderEffect;
use super::{Given, time};
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::{GapOrder, GapOrderKind};
use crate::show::escape::escaped;

/// A line for each gap and a total, or one object.
pub(super) fn page(format: Format, order: &GapOrder, given: &Given) -> String {
    match format {
        Format::Text => as_text(order, given),
        Format::Json => format!("{:#}\n", as_json(order, given)),
    }
}

fn as_text(order: &GapOrder, given: &Given) -> String {
    let name = order.kind.name();
    if given.gaps.is_empty() {
        let nothing = match order.kind {
            GapOrderKind::Unskip => "is skipped",
            GapOrderKind::Retry | GapOrderKind::Skip { .. } => "failed, rests or is quarantined",
        };
        return format!("nothing to {name}: no gap of {} {nothing}\n", given.about);
    }
    let line = |(gap, verdict): &(GapKey, OrderEffect)| {
        let gap = escaped(&gap.to_string()).into_owned();
        match verdict {
            OrderEffect::Ordered | OrderEffect::OrderedWhileRunning { .. } => format!("{name}: {gap}{}{}\n", until(order), aside(verdict)),
            OrderEffect::Running { .. } | OrderEffect::Nothing => format!("{name}: {gap}: {}\n", aside(verdict)),
        }
    };
    given.gaps.iter().map(line).collect::<String>() + &total(order, given)
}

fn until(order: &GapOrder) -> String {
    match order.kind {
        GapOrderKind::Skip { until: Some(until) } => format!(" until {}", time(until)),
        GapOrderKind::Skip { until: None } | GapOrderKind::Retry | GapOrderKind::Unskip => String::new(),
    }
}

fn aside(verdict: &OrderEffect) -> String {
    match verdict {
        OrderEffect::Ordered => String::new(),
        OrderEffect::OrderedWhileRunning { job } => format!(" (its job {job} is running and goes on; `etl-orch cancel {job}` stops it)"),
        OrderEffect::Running { owner } => format!("is running now ({}); nothing was changed", escaped(owner)),
        OrderEffect::Nothing => "there was nothing to change".to_owned(),
    }
}

fn total(order: &GapOrder, given: &Given) -> String {
    let gaps = if given.changed == 1 { "1 gap".to_owned() } else { format!("{} gaps", given.changed) };
    let what = match order.kind {
        GapOrderKind::Retry => "free to be tried again",
        GapOrderKind::Skip { .. } => "skipped",
        GapOrderKind::Unskip => "no longer skipped",
    };
    let ordered = given.gaps.iter().filter(|(_, verdict)| verdict.is_ordered()).count() as u64;
    let unchanged = ordered.saturating_sub(given.changed);
    let rest = if unchanged > 0 { format!("; {unchanged} changed meanwhile, and stayed as they were") } else { String::new() };
    format!("{gaps} {what}{rest}\n")
}

fn as_json(order: &GapOrder, given: &Given) -> serde_json::Value {
    let until = match order.kind {
        GapOrderKind::Skip { until } => until.map(time),
        GapOrderKind::Retry | GapOrderKind::Unskip => None,
    };
    let gap = |(gap, verdict): &(GapKey, OrderEffect)| {
        let note = match verdict {
            OrderEffect::Ordered => None,
            OrderEffect::OrderedWhileRunning { .. } | OrderEffect::Running { .. } => Some("running"),
            OrderEffect::Nothing => Some("nothing_to_change"),
        };
        json!({ "gap": gap, "ordered": verdict.is_ordered(), "note": note })
    };
    json!({
        "schema_version": 1,
        "kind": order.kind.name(),
        "by": order.by,
        "reason": order.reason,
        "at": time(order.at),
        "until": until,
        "changed": given.changed,
        "gaps": given.gaps.iter().map(gap).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(gaps: &[(&str, OrderEffect)], changed: u64) -> Given {
        let gaps = gaps.iter().map(|(gap, verdict)| (gap.parse().unwrap(), verdict.clone())).collect();
        Given { about: "RY-CA".to_owned(), gaps, changed }
    }

    fn order(kind: GapOrderKind) -> GapOrder {
        GapOrder { kind, by: "ann".to_owned(), reason: "why".to_owned(), at: "2026-11-01T10:00:00Z".parse().unwrap() }
    }

    #[test]
    fn a_line_for_each_gap_and_a_total() {
        let skip = GapOrderKind::Skip { until: Some("2026-12-01T00:00:00Z".parse().unwrap()) };
        let job = OrderEffect::OrderedWhileRunning { job: "1a2b3c4d".to_owned() };
        let owner = OrderEffect::Running { owner: "process 7 on h".to_owned() };
        let pages = [
            (skip, given(&[("RY-CA/2025Q2/a", OrderEffect::Ordered), ("RY-CA/2025Q2/b", job)], 2)),
            (GapOrderKind::Retry, given(&[("RY-CA/2025Q2/a", owner.clone()), ("RY-CA/2025Q2/b", OrderEffect::Ordered)], 1)),
            (GapOrderKind::Retry, given(&[("RY-CA/2025Q2/a", owner), ("RY-CA/2025Q2/b", OrderEffect::Ordered)], 0)),
            (GapOrderKind::Retry, given(&[], 0)),
            (GapOrderKind::Unskip, given(&[("RY-CA/2025Q2/a", OrderEffect::Nothing)], 0)),
            (GapOrderKind::Unskip, given(&[], 0)),
        ];
        let said: Vec<String> = pages.iter().map(|(kind, given)| page(Format::Text, &order(*kind), given)).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        skip: RY-CA/2025Q2/a until 2026-12-01T00:00:00Z
        skip: RY-CA/2025Q2/b until 2026-12-01T00:00:00Z (its job 1a2b3c4d is running and goes on; `etl-orch cancel 1a2b3c4d` stops it)
        2 gaps skipped

        retry: RY-CA/2025Q2/a: is running now (process 7 on h); nothing was changed
        retry: RY-CA/2025Q2/b
        1 gap free to be tried again

        retry: RY-CA/2025Q2/a: is running now (process 7 on h); nothing was changed
        retry: RY-CA/2025Q2/b
        0 gaps free to be tried again; 1 changed meanwhile, and stayed as they were

        nothing to retry: no gap of RY-CA failed, rests or is quarantined

        unskip: RY-CA/2025Q2/a: there was nothing to change
        0 gaps no longer skipped

        nothing to unskip: no gap of RY-CA is skipped
        "#);
    }

    #[test]
    fn json_is_one_object() {
        let text = page(Format::Json, &order(GapOrderKind::Retry), &given(&[("RY-CA/2025Q2/a", OrderEffect::Ordered)], 1));
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&object["schema_version"], &object["kind"], &object["by"]), (&1.into(), &"retry".into(), &"ann".into()));
        assert_eq!(object["gaps"][0], json!({ "gap": "RY-CA/2025Q2/a", "ordered": true, "note": null }));
        assert_eq!(object["until"], serde_json::Value::Null);
    }
}
