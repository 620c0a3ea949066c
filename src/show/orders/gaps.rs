//! What `etl-orch retry`, `skip` and `unskip` did.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::View;
use super::super::blocked::{quarantined, resting, skipped};
use super::super::command_line::CommandLine;
use super::super::escape::{escaped, excerpt};
use super::super::words::{Time, Untrusted, count};
use crate::plan::decide::order_effects::{OrderEffect, still_skipped};
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::{GapOrder, GapOrderKind};
use crate::plan::remember::failure_history::{GapState, SkipOrder};

/// An order on gaps, and what it did to each of them; with [`dry`](Self::dry) what it would do.
#[derive(Debug, Serialize)]
pub struct GapOrderView<'a> {
    by: &'a str,
    reason: &'a str,
    at: Time,
    until: Option<Time>,
    dry_run: bool,
    changed: u64,
    gaps: Vec<GapLine<'a>>,
    still_skipped: Vec<GroupSkip<'a>>,
    #[serde(skip)]
    kind: GapOrderKind,
    #[serde(skip)]
    subject: &'a str,
    /// What begins the commands.
    #[serde(skip)]
    next: CommandLine,
}

#[derive(Debug, Serialize)]
struct GapLine<'a> {
    gap: &'a GapKey,
    ordered: bool,
    note: Option<&'static str>,
    remembered: Option<Remembered<'a>>,
    #[serde(skip)]
    effect: &'a OrderEffect,
}

/// What was remembered of a gap before the order.
#[derive(Debug, Serialize)]
struct Remembered<'a> {
    failed_runs: u32,
    quarantined_since: Option<Time>,
    rests_until: Option<Time>,
    error: Option<Untrusted<'a>>,
    skipped: Option<SkipView<'a>>,
    #[serde(skip)]
    state: &'a GapState,
    /// The time of the order.
    #[serde(skip)]
    now: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
struct SkipView<'a> {
    by: Untrusted<'a>,
    since: Time,
    until: Option<Time>,
    reason: Untrusted<'a>,
}

/// An order on a bank or an ETL that the gaps stay skipped by.
#[derive(Debug, Serialize)]
struct GroupSkip<'a> {
    group: &'a GapKey,
    #[serde(flatten)]
    skip: SkipView<'a>,
    #[serde(skip)]
    order: &'a SkipOrder,
}

impl<'a> GapOrderView<'a> {
    /// The view of an order. `subject` says in words what it was on; `changed` is how many gaps the store changed; `states` is what was
    /// remembered of gaps before.
    pub fn new(order: &'a GapOrder, subject: &'a str, effects: &'a [(GapKey, OrderEffect)], changed: u64, states: &'a [GapState]) -> Self {
        let until = match order.kind {
            GapOrderKind::Skip { until } => until,
            GapOrderKind::Retry | GapOrderKind::Unskip => None,
        };
        let line = |(gap, effect): &'a (GapKey, OrderEffect)| GapLine {
            gap,
            ordered: effect.is_ordered(),
            note: match effect {
                OrderEffect::Ordered => None,
                OrderEffect::OrderedWhileRunning(_) | OrderEffect::OrderedWhileSomeRun(_) | OrderEffect::Running(_) => Some("running"),
                OrderEffect::GivenUp(_) => Some("end_given_up"),
                OrderEffect::Nothing => Some("nothing_to_change"),
            },
            remembered: states.iter().find(|state| state.key == *gap).map(|state| Remembered::at(state, order.at)),
            effect,
        };
        let group = |(group, order)| GroupSkip { group, skip: SkipView::from(order), order };
        Self {
            by: &order.by,
            reason: &order.reason,
            at: Time(order.at),
            until: until.map(Time),
            dry_run: false,
            changed,
            gaps: effects.iter().map(line).collect(),
            still_skipped: still_skipped(order, effects, states).into_iter().map(group).collect(),
            kind: order.kind,
            subject,
            next: CommandLine::default(),
        }
    }

    /// The same where nothing was changed, as only what would be was asked for.
    #[must_use]
    pub fn dry(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// The same with commands that begin like this.
    #[must_use]
    pub fn going_on_by(self, next: CommandLine) -> Self {
        Self { next, ..self }
    }

    /// `2 gaps skipped`.
    fn total(&self) -> String {
        let is_group = |gap: &&GapLine<'_>| matches!(gap.gap, GapKey::Group { .. });
        let groups = self.gaps.iter().filter(is_group).count();
        // A bank or an ETL stands for gaps that nobody counts.
        let noun = if groups > 0 && groups == self.gaps.len() { "order" } else { "gap" };
        let gaps = count(self.changed, noun);
        let would = if self.dry_run { "would be " } else { "" };
        let what = match self.kind {
            GapOrderKind::Retry => "free to be tried again",
            GapOrderKind::Skip { .. } if noun == "order" => "given",
            GapOrderKind::Skip { .. } => "skipped",
            GapOrderKind::Unskip if noun == "order" => "taken back",
            GapOrderKind::Unskip => "no longer skipped",
        };
        let ordered = self.gaps.iter().filter(|gap| gap.ordered).count() as u64;
        let unchanged = ordered.saturating_sub(self.changed);
        let rest = if unchanged > 0 { format!("; {unchanged} changed meanwhile and left as they were") } else { String::new() };
        let nothing = if self.dry_run { "; nothing was changed" } else { "" };
        format!("{gaps} {would}{what}{rest}{nothing}\n")
    }

    fn line(&self, line: &GapLine<'_>) -> String {
        let name = self.kind.name();
        let name = if self.dry_run { format!("would {name}") } else { name.to_owned() };
        let until = self.until.map(|until| format!(" until {until}")).unwrap_or_default();
        let gap = subject(line.gap);
        let forgotten = line.remembered.as_ref().filter(|_| self.dry_run).map(Remembered::text).unwrap_or_default();
        match line.effect {
            OrderEffect::Ordered => format!("{name}: {gap}{until}{forgotten}\n"),
            OrderEffect::OrderedWhileSomeRun(jobs) => {
                let go_on = if *jobs == 1 { "is running and goes on" } else { "are running and go on" };
                format!("{name}: {gap}{until} ({} of it {go_on})\n", count(*jobs as u64, "job"))
            }
            OrderEffect::OrderedWhileRunning(job) => {
                let job = job.short();
                let cancel = self.next.of(format!("cancel {job}"));
                format!("{name}: {gap}{until} (its job {job} is running and goes on; `{cancel}` stops it)\n")
            }
            OrderEffect::Running(owner) => {
                format!("{name}: {gap}: is running now ({}); nothing was changed\n", escaped(&owner.to_string()))
            }
            OrderEffect::GivenUp(job) if self.dry_run => {
                format!("{name}: {gap} (job {} has ended, which the database did not take; its end would be given up)\n", job.short())
            }
            OrderEffect::GivenUp(job) => {
                format!("{name}: {gap} (job {} had ended, which the database did not take; its end was given up)\n", job.short())
            }
            OrderEffect::Nothing => format!("{name}: {gap}: there was nothing to change\n"),
        }
    }
}

/// A gap by its key, and a group in words.
fn subject(gap: &GapKey) -> String {
    let all = |of: String| format!("every present and later report of {of}");
    match gap {
        GapKey::Group { bank: Some(bank), etl: Some(etl) } => all(format!("{} and {}", escaped(bank), escaped(etl))),
        GapKey::Group { bank: Some(name), etl: None } | GapKey::Group { bank: None, etl: Some(name) } => all(escaped(name).into_owned()),
        GapKey::Group { bank: None, etl: None } | GapKey::Report { .. } | GapKey::Source(_) | GapKey::Window { .. } => {
            escaped(&gap.to_string()).into_owned()
        }
    }
}

/// The words of the command that takes the order on a group back.
fn unskip(group: &GapKey) -> String {
    match group {
        GapKey::Group { bank, etl } => {
            let bank = bank.as_ref().map(|bank| format!(" {bank}")).unwrap_or_default();
            let etl = etl.as_ref().map(|etl| format!(" --etl-type {etl}")).unwrap_or_default();
            format!("unskip{bank}{etl} --reason TEXT")
        }
        GapKey::Report { .. } | GapKey::Source(_) | GapKey::Window { .. } => format!("unskip {group} --reason TEXT"),
    }
}

impl<'a> From<&'a SkipOrder> for SkipView<'a> {
    fn from(order: &'a SkipOrder) -> Self {
        let (by, reason) = (order.by.as_str().into(), order.reason.as_str().into());
        Self { by, since: Time(order.since), until: order.until.map(Time), reason }
    }
}

impl<'a> Remembered<'a> {
    /// What is remembered of a gap when an order on it is given.
    fn at(state: &'a GapState, now: DateTime<Utc>) -> Self {
        let history = &state.history;
        Self {
            failed_runs: history.failed_runs,
            quarantined_since: history.quarantine.map(|quarantine| Time(quarantine.since)),
            rests_until: history.rest.map(|rest| Time(rest.until)),
            error: history.error.as_deref().map(Untrusted::from),
            skipped: state.skip.as_ref().map(SkipView::from),
            state,
            now,
        }
    }

    /// What the order forgets, as what follows the name of a gap.
    fn text(&self) -> String {
        let GapState { history, skip, .. } = self.state;
        let mut parts = Vec::new();
        if history.failed_runs > 0 {
            parts.push(format!("{} failed", count(history.failed_runs.into(), "run")));
        }
        match (history.quarantine, history.rest) {
            (Some(quarantine), _) => parts.push(format!("quarantined {}", quarantined(quarantine))),
            (None, Some(rest)) if rest.until <= self.now => parts.push(format!("cooled down until {}", Time(rest.until))),
            (None, Some(rest)) => parts.push(format!("cooling down, {}", resting(rest, None))),
            (None, None) => {}
        }
        parts.extend(skip.as_ref().map(|order| format!("skipped {}", skipped(order))));
        parts.extend(history.error.as_ref().map(|error| format!("the last error: {}", excerpt(error))));
        if parts.is_empty() { String::new() } else { format!(": {}", parts.join("; ")) }
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
                GapOrderKind::Retry | GapOrderKind::Skip { .. } => "rests or is quarantined",
            };
            return format!("nothing to {name}: no gap of {} {nothing}\n", self.subject);
        }
        let lines: String = self.gaps.iter().map(|line| self.line(line)).collect();
        let group = |group: &GroupSkip<'_>| {
            format!("{} stays skipped {}; `{}` ends that\n", subject(group.group), skipped(group.order), self.next.of(unskip(group.group)))
        };
        lines + &self.total() + &self.still_skipped.iter().map(group).collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::ids::JobId;
    use crate::plan::model::job::Owner;
    use crate::plan::remember::failure_history::{FailureHistory, Quarantine, QuarantineReason, Rest, RestReason};

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
        let text =
            |(kind, gaps, changed): &(GapOrderKind, Vec<_>, u64)| GapOrderView::new(&order(*kind), "RY-CA", gaps, *changed, &[]).text();
        let texts: Vec<String> = pages.iter().map(text).collect();
        insta::assert_snapshot!(texts.join("\n"), @r#"
        skip: RY-CA/2025Q2/a until 2026-12-01 00:00:00Z
        skip: RY-CA/2025Q2/b until 2026-12-01 00:00:00Z (its job 1a2b3c4d is running and goes on; `etl-orch cancel 1a2b3c4d` stops it)
        2 gaps skipped

        retry: RY-CA/2025Q2/a: is running now (process 7 on h); nothing was changed
        retry: RY-CA/2025Q2/b
        1 gap free to be tried again

        retry: RY-CA/2025Q2/a: is running now (process 7 on h); nothing was changed
        retry: RY-CA/2025Q2/b
        0 gaps free to be tried again; 1 changed meanwhile and left as they were

        nothing to retry: no gap of RY-CA rests or is quarantined

        unskip: RY-CA/2025Q2/a: there was nothing to change
        0 gaps no longer skipped

        nothing to unskip: no gap of RY-CA is skipped
        "#);
    }

    #[test]
    fn json_is_one_object() {
        let (order, gaps) = (order(GapOrderKind::Retry), gaps(&[("RY-CA/2025Q2/a", OrderEffect::Ordered)]));
        let text = GapOrderView::new(&order, "RY-CA", &gaps, 1, &[]).json().unwrap();
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&object["schema_version"], &object["kind"], &object["by"]), (&1.into(), &"retry".into(), &"ann".into()));
        assert_eq!(object["gaps"][0], serde_json::json!({ "gap": "RY-CA/2025Q2/a", "ordered": true, "note": null, "remembered": null }));
        assert_eq!(object["until"], serde_json::Value::Null);
    }

    #[test]
    fn a_dry_run_says_what_would_be_forgotten() {
        let at = "2026-11-01T10:00:00Z".parse().unwrap();
        let quarantine = Some(Quarantine { since: at, why: QuarantineReason::Permanent });
        let history = FailureHistory { failed_runs: 2, quarantine, error: Some("exit code 65".to_owned()), ..FailureHistory::default() };
        let skip = Some(SkipOrder { since: at, until: None, by: "bob".to_owned(), reason: "restated".to_owned() });
        let state = |key: &str, history: &FailureHistory, skip: &Option<SkipOrder>| GapState {
            key: key.parse().unwrap(),
            fence: 1,
            history: history.clone(),
            skip: skip.clone(),
            forced: None,
        };
        let states = [state("RY-CA/2025Q2/a", &history, &skip), state("*/*/a", &FailureHistory::default(), &skip)];
        let (retry, gaps) = (order(GapOrderKind::Retry), gaps(&[("RY-CA/2025Q2/a", OrderEffect::Ordered)]));
        let view = GapOrderView::new(&retry, "RY-CA", &gaps, 1, &states).dry(true);
        insta::assert_snapshot!(view.text(), @r"
        would retry: RY-CA/2025Q2/a: 2 runs failed; quarantined since 2026-11-01 10:00:00Z, another attempt cannot help; skipped by bob since 2026-11-01 10:00:00Z: restated; the last error: exit code 65
        1 gap would be free to be tried again; nothing was changed
        every present and later report of a stays skipped by bob since 2026-11-01 10:00:00Z: restated; `etl-orch unskip --etl-type a --reason TEXT` ends that
        ");
        let json: serde_json::Value = serde_json::from_str(&view.json().unwrap()).unwrap();
        assert_eq!((&json["dry_run"], &json["gaps"][0]["remembered"]["failed_runs"]), (&true.into(), &2.into()));
        assert_eq!((&json["still_skipped"][0]["group"], &json["still_skipped"][0]["by"]), (&"*/*/a".into(), &"bob".into()));
    }

    #[test]
    fn a_rest_that_is_over_is_told_as_past() {
        let at = |time: &str| time.parse::<DateTime<Utc>>().unwrap();
        let rest = Rest { since: at("2026-11-01T09:00:00Z"), until: at("2026-11-01T09:10:00Z"), why: RestReason::Failed };
        let history = FailureHistory { failed_runs: 1, rest: Some(rest), ..FailureHistory::default() };
        let state = GapState { key: "RY-CA/2025Q2/a".parse().unwrap(), fence: 1, history, skip: None, forced: None };
        let told = |now: &str| Remembered::at(&state, at(now)).text();
        assert_eq!(told("2026-11-01T09:10:00Z"), ": 1 run failed; cooled down until 2026-11-01 09:10:00Z");
        assert!(told("2026-11-01T09:09:59Z").starts_with(": 1 run failed; cooling down, "));
    }

    #[test]
    fn a_bank_or_an_etl_is_named_in_words() {
        let skip = order(GapOrderKind::Skip { until: None });
        let effects = gaps(&[("RY-CA/*/*", OrderEffect::OrderedWhileSomeRun(2)), ("RY-CA/*/a", OrderEffect::Ordered)]);
        insta::assert_snapshot!(GapOrderView::new(&skip, "RY-CA", &effects, 2, &[]).text(), @r"
        skip: every present and later report of RY-CA (2 jobs of it are running and go on)
        skip: every present and later report of RY-CA and a
        2 orders given
        ");
    }
}
