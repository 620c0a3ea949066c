//! What is wrong with the data as a whole is told as what is wrong with one gap.

use super::*;
use crate::plan::decide::late_banks::{Behind, LateBank};
use crate::plan::decide::mismatch::{NameCount, SimilarType, UnknownTags};
use crate::plan::decide::unmatched::{Unmatched, WhyUnmatched};

const BANK: &str = "bank:RY-CA";
const PERIOD: &str = "bank:RY-CA/2025Q2";

impl Scene {
    fn with(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(&mut self.plan);
        self
    }

    fn unmatched(self, why: WhyUnmatched) -> Self {
        self.with(|plan| {
            plan.data_issues.without_rows = vec![0];
            plan.data_issues.without_data = vec!["RY-CA".to_owned(), "TD-CA".to_owned()];
            plan.data_issues.unmatched = Some(Unmatched { why, tags: vec![count("rts")], symbols: vec![count("XX")] });
        })
    }
}

fn count(name: &str) -> NameCount {
    NameCount { name: name.to_owned(), rows: 1 }
}

fn late(plan: &mut Plan) {
    let behind = Behind { bank: "RY-CA".to_owned(), period: "2025Q2".parse().unwrap(), arrived: 1, peers: 1 };
    let expected_by = "2026-10-31".parse().unwrap();
    plan.data_issues.late_banks.push(LateBank { behind, tags: vec!["t".to_owned()], expected_by, known: 3 });
}

fn unknown_tag(plan: &mut Plan) {
    plan.data_issues.without_rows = vec![0];
    plan.data_issues.names.unknown_tags.push(UnknownTags { etl: 0, tags: vec!["transcripts".to_owned()] });
    plan.data_issues.names.tags.push(count("transcirpts"));
}

#[test]
fn what_is_wrong_with_the_data_is_told_when_it_begins_and_when_it_ends() {
    let fine = Scene::default;
    for (scene, subject, state, expected) in [
        (
            fine().unmatched(WhyUnmatched::NoBank),
            "data",
            AlertState::NothingMatches,
            "nothing_matches since 100 (no row with the required tags is of a monitored bank (tags of the data: rts; symbols of the data: XX))",
        ),
        (
            fine().unmatched(WhyUnmatched::NoRows),
            "data",
            AlertState::NothingMatches,
            "nothing_matches since 100 (the availability table has no rows)",
        ),
        (
            fine().unmatched(WhyUnmatched::NoTags),
            "requires:a",
            AlertState::RequiresUnmet,
            "requires_unmet since 100 (a makes nothing: no row of the availability table has all that it requires (transcripts))",
        ),
        (
            fine().with(unknown_tag),
            "requires:a",
            AlertState::RequiresUnmet,
            "requires_unmet since 100 (: a requires \"transcripts\", which no row of the availability table has and no file of \
             availability.sync supplies, so it makes nothing (tags of the data: transcirpts); did you mean transcirpts?)",
        ),
        (
            fine().with(|plan| plan.data_issues.names.similar_types.push(SimilarType { etl: 0, found: count("a") })),
            "report_type:a",
            AlertState::TypeMisspelled,
            "report_type_misspelled since 100 (: a makes reports of the type \"A\", of which there are none, but there is 1 row of the type \
             \"a\"; if they are its reports, write report_type: [\"A\", \"a\"])",
        ),
        (
            fine().with(|plan| plan.data_issues.without_data.push("RY-CA".to_owned())),
            BANK,
            AlertState::BankWithoutData,
            "bank_without_data since 100 (no reason)",
        ),
        (
            fine().with(late),
            PERIOD,
            AlertState::BankLate,
            "bank_late since -24 (RY-CA: its data of 2025 Q2 (t) is late: as its last 3 periods came, it was expected by 2026-10-31, and 1 of 1 \
             other bank have theirs)",
        ),
    ] {
        assert_eq!(scene.changes(&[]), [format!("{subject}: fine -> {expected}")]);
        assert_eq!(scene.changes(&[(subject, state)]), [""; 0], "it lasts");
        assert_eq!(fine().changes(&[(subject, state)]), [format!("{subject}: {} -> recovered", state.name())]);
        assert_eq!(fine().of_one_bank().changes(&[(subject, state)]), [""; 0], "it was not looked at");
        assert_eq!(scene.clone().of_one_bank().changes(&[]), [""; 0], "a selection says nothing of the whole");
        let names_unseen = fine().with(|plan| plan.data_issues.names.unseen = Some("refused".to_owned()));
        assert_eq!(names_unseen.changes(&[(subject, state)]), [""; 0], "{subject} could not be looked at");
    }
}

#[test]
fn where_nothing_matches_that_is_told_and_nothing_of_single_banks() {
    let told = [(BANK, AlertState::BankWithoutData), (PERIOD, AlertState::BankLate), ("requires:a", AlertState::RequiresUnmet)];
    let changes = Scene::default().unmatched(WhyUnmatched::NoRows).changes(&told);
    assert_eq!(changes.len(), 1, "{changes:?}");
    let gone = [("bank:GONE", AlertState::BankWithoutData), ("requires:gone", AlertState::RequiresUnmet)];
    let changes = Scene::default().changes(&gone);
    assert_eq!(changes, ["requires:gone: requires_unmet -> gone", "bank:GONE: bank_without_data -> gone"]);
}
