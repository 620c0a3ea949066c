//! What `etl-orch retry`, `skip` and `unskip` did.

use serde::Serialize;

use super::super::View;
use super::super::escape::escaped;
use super::super::words::Time;
use crate::plan::decide::order_effects::OrderEffect;
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::{GapOrder, GapOrderKind};

/// An order on gaps, and what it did to each of them.
#[derive(Debug, Serialize)]
pub struct GapOrderView<'a> {
    by: &'a str,
    reason: &'a str,
    at: Time,
    until: Option<Time>,
    changed: u64,
    gaps: Vec<GapLine<'a>>,
    #[serde(skip)]
    kind: GapOrderKind,
    #[serde(skip)]
    subject: &'a str,
}

#[derive(Debug, Serialize)]
struct GapLine<'a> {
    gap: &'a GapKey,
    ordered: bool,
    note: Option<&'static str>,
    #[serde(skip)]
    effect: &'a OrderEffect,
}

impl<'a> GapOrderView<'a> {
    /// The view of an order. `subject` says in words what it was on; `changed` is how many gaps the store changed.
    pub fn new(order: &'a GapOrder, subject: &'a str, effects: &'a [(GapKey, OrderEffect)], changed: u64) -> Self {
        let until = match order.kind {
            GapOrderKind::Skip { until } => until,
            GapOrderKind::Retry | GapOrderKind::Unskip => None,
        };
        let line = |(gap, effect): &'a (GapKey, OrderEffect)| GapLine {
            gap,
            ordered: effect.is_ordered(),
            note: match effect {
                OrderEffect::Ordered => None,
                OrderEffect::OrderedWhileRunning(_) | OrderEffect::Running(_) => Some("running"),
                OrderEffect::GivenUp(_) => Some("end_given_up"),
                OrderEffect::Nothing => Some("nothing_to_change"),
            },
            effect,
        };
        Self {
            by: &order.by,
            reason: &order.reason,
            at: Time(order.at),
            until: until.map(Time),
            changed,
            gaps: effects.iter().map(line).collect(),
            kind: order.kind,
            subject,
        }
    }

    /// `2 gaps skipped`.
    fn total(&self) -> String {
        let gaps = if self.changed == 1 { "1 gap".to_owned() } else { format!("{} gaps", self.changed) };
        let what = match self.kind {
            GapOrderKind::Retry => "free to be tried again",
            GapOrderKind::Skip { .. } => "skipped",
            GapOrderKind::Unskip => "no longer skipped",
        };
        let ordered = self.gaps.iter().filter(|gap| gap.ordered).count() as u64;
        let unchanged = ordered.saturating_sub(self.changed);
        let rest = if unchanged > 0 { format!("; {unchanged} changed meanwhile and left as they were") } else { String::new() };
        format!("{gaps} {what}{rest}\n")
    }
}

impl View for GapOrderView<'_> {
    fn kind(&self) -> &'static str {
        self.kind.name()
    }

    fn text(&self) -> String {
        let name = self.kind.name();
        if self.gaps.is_empty() {
            let nothing = match self.kind {
                GapOrderKind::Unskip => "is skipped",
                GapOrderKind::Retry | GapOrderKind::Skip { .. } => "failed, rests or is quarantined",
            };
            return format!("nothing to {name}: no gap of {} {nothing}\n", self.subject);
        }
        let until = self.until.map(|until| format!(" until {until}")).unwrap_or_default();
        let line = |line: &GapLine<'_>| {
            let gap = escaped(&line.gap.to_string()).into_owned();
            match line.effect {
                OrderEffect::Ordered => format!("{name}: {gap}{until}\n"),
                OrderEffect::OrderedWhileRunning(job) => {
                    let job = job.short();
                    format!("{name}: {gap}{until} (its job {job} is running and goes on; `etl-orch cancel {job}` stops it)\n")
                }
                OrderEffect::Running(owner) => {
                    format!("{name}: {gap}: is running now ({}); nothing was changed\n", escaped(&owner.to_string()))
                }
                OrderEffect::GivenUp(job) => {
                    format!("{name}: {gap} (job {} had ended, which the database did not take; its end was given up)\n", job.short())
                }
                OrderEffect::Nothing => format!("{name}: {gap}: there was nothing to change\n"),
            }
        };
        self.gaps.iter().map(line).collect::<String>() + &self.total()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::ids::JobId;
    use crate::plan::model::job::Owner;

    fn gaps(gaps: &[(&str, OrderEffect)]) -> Vec<(GapKey, OrderEffect)> {
        gaps.iter().map(|(gap, effect)| (gap.parse().unwrap(), effect.clone())).collect()
    }

    fn order(kind: GapOrderKind) -> GapOrder {
        GapOrder { kind, by: "ann".to_owned(), reason: "why".to_owned(), at: "2026-11-01T10:00:00Z".parse().unwrap() }
    }

    #[test]
    fn a_line_for_each_gap_and_a_total() {
        use OrderEffect::{Nothing, Ordered, OrderedWhileRunning, Running};

        let skip = GapOrderKind::Skip { until: Some("2026-12-01T00:00:00Z".parse().unwrap()) };
        let job = OrderedWhileRunning(JobId::parse("1a2b3c4d-0000-4000-8000-000000000000").unwrap());
        let owner = Running(Owner { host: "h".to_owned(), machine_id: None, boot_id: String::new(), pid: 7, pid_started: 1 });
        let pages = [
            (skip, gaps(&[("RY-CA/2025Q2/a", Ordered), ("RY-CA/2025Q2/b", job)]), 2),
            (GapOrderKind::Retry, gaps(&[("RY-CA/2025Q2/a", owner.clone()), ("RY-CA/2025Q2/b", Ordered)]), 1),
            (GapOrderKind::Retry, gaps(&[("RY-CA/2025Q2/a", owner), ("RY-CA/2025Q2/b", Ordered)]), 0),
            (GapOrderKind::Retry, gaps(&[]), 0),
            (GapOrderKind::Unskip, gaps(&[("RY-CA/2025Q2/a", Nothing)]), 0),
            (GapOrderKind::Unskip, gaps(&[]), 0),
        ];
        let text = |(kind, gaps, changed): &(GapOrderKind, Vec<_>, u64)| GapOrderView::new(&order(*kind), "RY-CA", gaps, *changed).text();
        let texts: Vec<String> = pages.iter().map(text).collect();
        insta::assert_snapshot!(texts.join("\n"), @r#"
        skip: RY-CA/2025Q2/a until 2026-12-01T00:00:00Z
        skip: RY-CA/2025Q2/b until 2026-12-01T00:00:00Z (its job 1a2b3c4d is running and goes on; `etl-orch cancel 1a2b3c4d` stops it)
        2 gaps skipped

        retry: RY-CA/2025Q2/a: is running now (process 7 on h); nothing was changed
        retry: RY-CA/2025Q2/b
        1 gap free to be tried again

        retry: RY-CA/2025Q2/a: is running now (process 7 on h); nothing was changed
        retry: RY-CA/2025Q2/b
        0 gaps free to be tried again; 1 changed meanwhile and left as they were

        nothing to retry: no gap of RY-CA failed, rests or is quarantined

        unskip: RY-CA/2025Q2/a: there was nothing to change
        0 gaps no longer skipped

        nothing to unskip: no gap of RY-CA is skipped
        "#);
    }

    #[test]
    fn json_is_one_object() {
        let (order, gaps) = (order(GapOrderKind::Retry), gaps(&[("RY-CA/2025Q2/a", OrderEffect::Ordered)]));
        let text = GapOrderView::new(&order, "RY-CA", &gaps, 1).json().unwrap();
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&object["schema_version"], &object["kind"], &object["by"]), (&1.into(), &"retry".into(), &"ann".into()));
        assert_eq!(object["gaps"][0], serde_json::json!({ "gap": "RY-CA/2025Q2/a", "ordered": true, "note": null }));
        assert_eq!(object["until"], serde_json::Value::Null);
    }
}
