use super::*;
use crate::plan::model::gap::Gap;
use crate::plan::model::institution::Institutions;
use crate::plan::test_support::{bank, etl};

const PLAIN: Paper = Paper { width: 80, has_color: false };

fn catalogue(etls: &[&str]) -> Catalogue {
    Catalogue {
        institutions: Institutions::new(vec![bank("RY-CA", 1), bank("BMO-CA", 2), bank("TD-CA", 3)]),
        etls: etls.iter().map(|name| etl(name, name)).collect(),
        sources: Vec::new(),
    }
}

/// Ten years in which everything was made, but for some reports of the last ones.
fn coverage(catalogue: &Catalogue) -> Coverage {
    let mut coverage = Coverage::new(0..3, (0..catalogue.etls.len()).collect());
    for year in 2017..=2026 {
        for quarter in 1..=4 {
            let period: Period = format!("{year}Q{quarter}").parse().unwrap();
            for bank in 0..3 {
                coverage.has_data(bank, period);
                (0..catalogue.etls.len()).for_each(|etl| coverage.note(Gap { bank, period, etl }, ReportState::Made));
            }
        }
    }
    for (bank, period, etl, state) in [
        (0, "2026Q4", 0, ReportState::Missing),
        (0, "2026Q4", 1, ReportState::Running),
        (1, "2026Q3", 0, ReportState::Quarantined),
        (1, "2026Q3", 1, ReportState::CoolingDown),
        (2, "2026Q4", 1, ReportState::Deferred),
        (2, "2026Q2", 1, ReportState::Skipped),
        (2, "2018Q1", 1, ReportState::NotReady),
    ] {
        coverage.note(Gap { bank, period: period.parse().unwrap(), etl }, state);
    }
    coverage.has_data(0, "2027Q1".parse().unwrap());
    coverage
}

fn text(etls: &[&str], paper: Paper) -> String {
    let catalogue = catalogue(etls);
    CoverageView::new(&coverage(&catalogue), &catalogue, DateTime::UNIX_EPOCH, paper).text()
}

#[test]
fn as_many_periods_as_fit_are_shown() {
    insta::assert_snapshot!(text(&["call_summary", "key_themes"], PLAIN), @r"
        COVERAGE: 3 banks, 41 periods, 233 of 239 reports made

                  27 2026        2025        2024        2023        2022        2021
                  Q1 Q4 Q3 Q2 Q1 Q4 Q3 Q2 Q1 Q4 Q3 Q2 Q1 Q4 Q3 Q2 Q1 Q4 Q3 Q2 Q1 Q4 Q3
        RY  78/80 dd □▶ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■
        BMO 78/80 .. ■■ QF ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■
        TD  77/79 .. ■B ■■ ■- ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■ ■■

        18 older periods not shown (2017 Q1 to 2021 Q2): 1 of their reports is missing;
        --until-year and --format json show them
        ■ 233 made   ▶ 1 running   □ 1 missing, will be made
        N 1 not ready, tried again later   F 1 failed, tried again later
        B 1 its ETL is broken   Q 1 quarantined   - 1 skipped by an operator
        d 2 waits for data   . 4 no data
        In each cell: call_summary, key_themes
    ");
}

#[test]
fn where_the_reports_of_two_periods_do_not_fit_a_cell_has_the_worst() {
    let etls = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];
    insta::assert_snapshot!(text(&etls, Paper { width: 40, ..PLAIN }), @r"
        COVERAGE: 3 banks, 41 periods, 1,673 of
        1,679 reports made

                    27 2026        2025
                    Q1 Q4 Q3 Q2 Q1 Q4 Q3 Q2 Q1
        RY  558/560 d  □  ■  ■  ■  ■  ■  ■  ■
        BMO 558/560 .  ■  Q  ■  ■  ■  ■  ■  ■
        TD  557/559 .  B  ■  ■  ■  ■  ■  ■  ■

        32 older periods not shown (2017 Q1 to
        2024 Q4): 1 of their reports is missing;
        --until-year and --format json show them
        ■ 1,673 made   ▶ 1 running
        □ 1 missing, will be made
        N 1 not ready, tried again later
        F 1 failed, tried again later
        B 1 its ETL is broken   Q 1 quarantined
        - 1 skipped by an operator
        d 14 waits for data   . 28 no data
        Each sign is the worst of a, b, c, d, e,
        f, g, h, i, j, k, l, m, n
    ");
}

#[test]
fn no_line_is_wider_than_the_paper() {
    for etls in [&["call_summary"][..], &["call_summary", "key_themes"], &["a", "b", "c", "d", "e", "f"]] {
        for width in [40, 41, 57, 80, 200] {
            for line in text(etls, Paper { width, ..PLAIN }).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_color_stands_only_beside_a_sign() {
    let etls = ["call_summary", "key_themes"];
    let colored = text(&etls, Paper { has_color: true, ..PLAIN });
    assert!(colored.contains("\u{1b}[31;1mQ\u{1b}[0m"), "{colored}");
    let mut plain = String::new();
    for (n, part) in colored.split('\u{1b}').enumerate() {
        plain.push_str(if n == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(plain, text(&etls, PLAIN));
}

#[test]
fn programs_get_every_period_that_a_bank_has_data_for() {
    let catalogue = catalogue(&["call_summary", "key_themes"]);
    let json = CoverageView::new(&coverage(&catalogue), &catalogue, DateTime::UNIX_EPOCH, PLAIN).json().unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["kind"], &json["made"], &json["expected"]), (&"coverage".into(), &233.into(), &239.into()));
    assert_eq!(json["states"]["quarantined"], 1);
    let bank = &json["banks"][0];
    assert_eq!((&bank["bank_symbol"], &bank["made"], &bank["expected"]), (&"RY".into(), &78.into(), &80.into()));
    assert_eq!(bank["periods"].as_array().unwrap().len(), 41);
    let newest = serde_json::json!({
        "fiscal_year": 2027, "quarter": "Q1", "reports": {"call_summary": "data_incomplete", "key_themes": "data_incomplete"}
    });
    assert_eq!(bank["periods"][0], newest);
    assert_eq!(json["banks"][1]["periods"].as_array().unwrap().len(), 40);
}
