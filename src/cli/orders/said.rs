//! What is said of an order.

use serde_json::json;

use super::super::args::Format;
use super::gaps::Verdict;
use super::{Given, time};
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::{Order, OrderKind};
use crate::show::escape::escaped;

/// A line for each gap and a total, or one object.
pub(super) fn page(format: Format, order: &Order, given: &Given) -> String {
    match format {
        Format::Text => as_text(order, given),
        Format::Json => format!("{:#}\n", as_json(order, given)),
    }
}

fn as_text(order: &Order, given: &Given) -> String {
    let name = order.kind.name();
    if given.gaps.is_empty() {
        let nothing = match order.kind {
            OrderKind::Unskip => "is skipped",
            OrderKind::Retry | OrderKind::Skip { .. } => "failed, rests or is quarantined",
        };
        return format!("nothing to {name}: no gap of {} {nothing}\n", given.about);
    }
    let line = |(gap, verdict): &(GapKey, Verdict)| {
        let gap = escaped(gap.as_str());
        match verdict {
            Verdict::Ordered | Verdict::OrderedWhileRunning { .. } => format!("{name}: {gap}{}{}\n", until(order), aside(verdict)),
            Verdict::Running { .. } | Verdict::Nothing => format!("{name}: {gap}: {}\n", aside(verdict)),
        }
    };
    given.gaps.iter().map(line).collect::<String>() + &total(order, given)
}

fn until(order: &Order) -> String {
    match order.kind {
        OrderKind::Skip { until: Some(until) } => format!(" until {}", time(until)),
        OrderKind::Skip { until: None } | OrderKind::Retry | OrderKind::Unskip => String::new(),
    }
}

fn aside(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Ordered => String::new(),
        Verdict::OrderedWhileRunning { job } => format!(" (its job {job} is running and goes on; `etl-orch cancel {job}` stops it)"),
        Verdict::Running { owner } => format!("is running now ({}); nothing was changed", escaped(owner)),
        Verdict::Nothing => "there was nothing to change".to_owned(),
    }
}

fn total(order: &Order, given: &Given) -> String {
    let gaps = if given.changed == 1 { "1 gap".to_owned() } else { format!("{} gaps", given.changed) };
    let what = match order.kind {
        OrderKind::Retry => "free to be tried again",
        OrderKind::Skip { .. } => "skipped",
        OrderKind::Unskip => "no longer skipped",
    };
    let ordered = given.gaps.iter().filter(|(_, verdict)| verdict.is_ordered()).count() as u64;
    let unchanged = ordered.saturating_sub(given.changed);
    let rest = if unchanged > 0 { format!("; {unchanged} changed meanwhile, and stayed as they were") } else { String::new() };
    format!("{gaps} {what}{rest}\n")
}

fn as_json(order: &Order, given: &Given) -> serde_json::Value {
    let until = match order.kind {
        OrderKind::Skip { until } => until.map(time),
        OrderKind::Retry | OrderKind::Unskip => None,
    };
    let gap = |(gap, verdict): &(GapKey, Verdict)| {
        let note = match verdict {
            Verdict::Ordered => None,
            Verdict::OrderedWhileRunning { .. } | Verdict::Running { .. } => Some("running"),
            Verdict::Nothing => Some("nothing_to_change"),
        };
        json!({ "gap": gap.as_str(), "ordered": verdict.is_ordered(), "note": note })
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

    fn given(gaps: &[(&str, Verdict)], changed: u64) -> Given {
        let gaps = gaps.iter().map(|(gap, verdict)| (GapKey::stored((*gap).to_owned()), verdict.clone())).collect();
        Given { about: "RY-CA".to_owned(), gaps, changed }
    }

    fn order(kind: OrderKind) -> Order {
        Order { kind, by: "ann".to_owned(), reason: "why".to_owned(), at: "2026-11-01T10:00:00Z".parse().unwrap() }
    }

    #[test]
    fn a_line_for_each_gap_and_a_total() {
        let skip = OrderKind::Skip { until: Some("2026-12-01T00:00:00Z".parse().unwrap()) };
        let job = Verdict::OrderedWhileRunning { job: "1a2b3c4d".to_owned() };
        let owner = Verdict::Running { owner: "pid 7 on h".to_owned() };
        let pages = [
            (skip, given(&[("RY-CA/2025Q2/a", Verdict::Ordered), ("RY-CA/2025Q2/b", job)], 2)),
            (OrderKind::Retry, given(&[("RY-CA/2025Q2/a", owner.clone()), ("RY-CA/2025Q2/b", Verdict::Ordered)], 1)),
            (OrderKind::Retry, given(&[("RY-CA/2025Q2/a", owner), ("RY-CA/2025Q2/b", Verdict::Ordered)], 0)),
            (OrderKind::Retry, given(&[], 0)),
            (OrderKind::Unskip, given(&[("RY-CA/2025Q2/a", Verdict::Nothing)], 0)),
            (OrderKind::Unskip, given(&[], 0)),
        ];
        let said: Vec<String> = pages.iter().map(|(kind, given)| page(Format::Text, &order(*kind), given)).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        skip: RY-CA/2025Q2/a until 2026-12-01T00:00:00Z
        skip: RY-CA/2025Q2/b until 2026-12-01T00:00:00Z (its job 1a2b3c4d is running and goes on; `etl-orch cancel 1a2b3c4d` stops it)
        2 gaps skipped

        retry: RY-CA/2025Q2/a: is running now (pid 7 on h); nothing was changed
        retry: RY-CA/2025Q2/b
        1 gap free to be tried again

        retry: RY-CA/2025Q2/a: is running now (pid 7 on h); nothing was changed
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
        let text = page(Format::Json, &order(OrderKind::Retry), &given(&[("RY-CA/2025Q2/a", Verdict::Ordered)], 1));
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&object["schema_version"], &object["kind"], &object["by"]), (&1.into(), &"retry".into(), &"ann".into()));
        assert_eq!(object["gaps"][0], json!({ "gap": "RY-CA/2025Q2/a", "ordered": true, "note": null }));
        assert_eq!(object["until"], serde_json::Value::Null);
    }
}
