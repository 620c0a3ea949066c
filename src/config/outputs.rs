//! Checks templates of paths by filling them in for every bank: two gaps must not share a path, and no value may lead to another
//! directory.

use std::collections::{BTreeSet, HashMap};

use super::check::Check;
use crate::plan::model::gap::report_values;
use crate::plan::model::institution::{Institution, Institutions};
use crate::plan::model::period::Period;
use crate::plan::text::template::Template;

/// A template of a path, and where it stands.
pub(super) struct PathTemplate<'a> {
    /// Path of the setting.
    pub(super) at: Vec<&'a str>,
    /// The template, absolute.
    pub(super) template: &'a Template,
    /// The ETL's name; empty for files that belong to none.
    pub(super) etl: &'a str,
    pub(super) report_type: &'a str,
}

/// What two gaps with the same path differ in. The template lacks a placeholder for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shared {
    Period,
    Bank,
    Etl,
}

/// Checks templates whose paths must all differ.
pub(super) fn check_path_templates(check: &mut Check, templates: &[PathTemplate], institutions: &Institutions) {
    let stand_ins = [stand_in("AA-CA", 1), stand_in("BB-US", 2)];
    let banks: Vec<&Institution> =
        if institutions.is_empty() { stand_ins.iter().collect() } else { institutions.iter().map(|(_, bank)| bank).collect() };
    let periods: Vec<Period> =
        ["2024Q1", "2024Q2", "2025Q1", "2025Q2"].iter().filter_map(|text| Period::from_columns(&text[..4], &text[4..]).ok()).collect();
    let mut taken: HashMap<String, (usize, usize, Period)> = HashMap::new();
    for (this, path) in templates.iter().enumerate() {
        if leaves_its_place(check, path, &banks) {
            continue;
        }
        let mut told = BTreeSet::new();
        for (bank, institution) in banks.iter().enumerate() {
            for period in &periods {
                let rendered = path.template.fill(&report_values(institution, *period, path.etl, path.report_type));
                let Some((other, other_bank, other_period)) = taken.get(&normal(&rendered)) else {
                    taken.insert(normal(&rendered), (this, bank, *period));
                    continue;
                };
                let (shared, advice) = if *other != this {
                    (Shared::Etl, "add {etl}")
                } else if *other_bank != bank {
                    (Shared::Bank, "add {bank_key}")
                } else {
                    (Shared::Period, "add {period}")
                };
                if told.insert(shared) {
                    let gap = |template: usize, bank: usize, period: &Period| match templates[template].etl {
                        "" => format!("{} {period}", banks[bank].key),
                        etl => format!("{} {period} [{etl}]", banks[bank].key),
                    };
                    let message = format!(
                        "the same path for {} and for {}; {advice}",
                        gap(*other, *other_bank, other_period),
                        gap(this, bank, period)
                    );
                    check.wrong(&path.at, message);
                }
            }
        }
    }
}

/// Reports the first value that would lead to another directory. Returns whether there is one.
fn leaves_its_place(check: &mut Check, path: &PathTemplate, banks: &[&Institution]) -> bool {
    let Ok(period) = Period::from_columns("2025", "Q1") else { return false };
    if path.template.render(|_| "x".to_owned()).ends_with('/') {
        check.wrong(&path.at, "ends with \"/\"; it must name a file");
        return true;
    }
    for bank in banks {
        let values = report_values(bank, period, path.etl, path.report_type);
        let unusable =
            path.template.placeholders().find(|placeholder| values.get(placeholder).is_some_and(|value| value.contains(['/', '\0'])));
        let rendered = path.template.fill(&values);
        let harmless = path.template.render(|_| "x".to_owned());
        let is_dots = |part: &str| part == "." || part == "..";
        let dots = unusable.is_none() && rendered.split('/').zip(harmless.split('/')).any(|(part, plain)| is_dots(part) && !is_dots(plain));
        if unusable.is_some() || dots {
            let what = unusable.map_or_else(|| "a value".to_owned(), |placeholder| format!("{{{}}}", placeholder.name()));
            let why = if dots { "is \".\" or \"..\"" } else { "holds a \"/\"" };
            check.wrong(&path.at, format!("{what} of {} {why}, which would lead out of this path; use {{bank_key}} or {{etl}}", bank.key));
            return true;
        }
    }
    false
}

/// The same text for all spellings of a path, such as `a//b` and `a/./b`.
fn normal(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// A bank to try templates with where the file has none.
fn stand_in(key: &str, id: i64) -> Institution {
    Institution { key: key.to_owned(), id, name: format!("Bank {id}"), kind: None, priority: 0, place: String::new() }
}
