//! Long lists in a few lines.

use super::*;
use crate::plan::model::period::Period;

const BANKS: [&str; 3] = ["RY-CA", "BMO-CA", "TD-CA"];

/// Reports of both ETLs of every bank, in 20 years.
fn gaps() -> Vec<(usize, Period, usize)> {
    let periods = (2005..2025).flat_map(|year| ["Q1", "Q4"].map(|quarter| format!("{year}{quarter}").parse().unwrap()));
    periods.flat_map(|period| (0..BANKS.len()).flat_map(move |bank| [(bank, period, 0), (bank, period, 1)])).collect()
}

fn planned(gate: impl Fn(usize) -> Gate) -> Vec<PlannedJob> {
    let etls = ["call_summary", "key_themes"];
    let job = |(bank, period, etl): (usize, Period, usize)| PlannedJob {
        target: Target::Report { gap: Gap { bank, period, etl }, data_symbol: String::new() },
        key: key(&format!("{}/{}/{}", BANKS[bank], period.compact(), etls[etl])),
        gate: gate(etl),
        ..super::job(0, Gate::Open)
    };
    gaps().into_iter().map(job).collect()
}

#[test]
fn a_dry_run_counts_what_it_would_make_of_each_bank() {
    let plan = plan_of(planned(|etl| if etl == 0 { Gate::Open } else { Gate::BehindProbe }), Vec::new());
    insta::assert_snapshot!(text(&report(plan)), @r"
    📋 GAPS IDENTIFIED: 240 missing reports
    --------------------------------------------------------------------------------

      • RY: 40 reports, 2005 Q1 to 2024 Q4: call_summary
      • BMO: 40 reports, 2005 Q1 to 2024 Q4: call_summary
      • TD: 40 reports, 2005 Q1 to 2024 Q4: call_summary
      • key_themes: 120 reports of 3 banks, 2005 Q1 to 2024 Q4; 120 wait for the
        probe
      (all of them: -v or --format json)
    ================================================================================
    ");
}

#[test]
fn gaps_that_are_held_up_alike_share_a_line() {
    let held = |etl: &str, error: &dyn Fn(usize) -> String| {
        let entry =
            |(bank, period, _): (usize, Period, usize)| (key(&format!("{}/{}/{etl}", BANKS[bank], period.compact())), Some(error(bank)));
        gaps().into_iter().map(entry).collect::<Vec<_>>()
    };
    let timeout = held("call_summary", &|bank| format!("exit code 1 - no transcript of {}", BANKS[bank]));
    let other = held("key_themes", &|_| "exit code 65 - no such model".to_owned());
    let plan = Plan {
        cooling_down: listed(timeout.into_iter().map(|(gap, error)| (gap, rest(RestReason::Failed), error)).collect()),
        quarantined: listed(other.into_iter().take(12).map(|(gap, error)| (gap, quarantine(QuarantineReason::Permanent), error)).collect()),
        ..plan_of(Vec::new(), Vec::new())
    };
    insta::assert_snapshot!(text(&report(plan)), @r"
    📋 GAPS IDENTIFIED: 252 missing reports, none to be made now
    --------------------------------------------------------------------------------

    Quarantined: 12
      • RY-CA/2005Q1/key_themes and 3 more: exit code 65 - no such model
      • BMO-CA/2005Q1/key_themes and 3 more: exit code 65 - no such model
      • TD-CA/2005Q1/key_themes and 3 more: exit code 65 - no such model
      Release with: etl-orch retry BANK YEAR QUARTER ETL --reason TEXT
    Cooling down: 240
      • RY-CA/2005Q1/call_summary and 33 more: exit code 1 - no transcript of RY-CA
      • BMO-CA/2005Q1/call_summary and 33 more: exit code 1 - no transcript of
        BMO-CA
      • TD-CA/2005Q1/call_summary and 31 more: exit code 1 - no transcript of TD-CA
      and 140 more
    ================================================================================
    ");
}
