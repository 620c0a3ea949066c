//! Checks `outcomes:` and `progress:`, the patterns for what programs print.

use super::check::Check;
use super::grouped::regex;
use super::written_work as written;
use crate::plan::model::patterns::{EndClass, EndPattern, StagePattern};

/// Most patterns in a list. Together with their size it bounds what a line of a child costs.
const MOST: usize = 50;
/// A compiled pattern takes at most this many bytes.
const MAX_PATTERN: usize = 256 * 1024;

/// Checks `outcomes:`.
pub(super) fn outcomes(check: &mut Check, path: &[&str], written: &[written::EndPattern]) -> Vec<EndPattern> {
    not_too_many(check, path, written.len());
    let entries = written.iter().enumerate();
    entries.filter_map(|(n, entry)| end_pattern(check, &[path, &[&n.to_string()]].concat(), entry)).collect()
}

fn end_pattern(check: &mut Check, path: &[&str], entry: &written::EndPattern) -> Option<EndPattern> {
    let at = |key| [path, &[key]].concat();
    let exit = entry.exit.map(|code| i32::try_from(code).unwrap_or_default());
    if exit.is_some_and(|code| !(1..=255).contains(&code)) {
        check.wrong(&at("exit"), "exit must be from 1 to 255; after 0 the report is looked for");
    }
    if entry.exit.is_none() && entry.r#match.is_none() && !check.document.is_broken(&at("exit")) && !check.document.is_broken(&at("match"))
    {
        check.wrong(path, "this has neither exit nor match; write one like {match: 'rate limit', is: transient}");
    }
    if entry.is.is_none() && !check.document.is_broken(&at("is")) {
        check.wrong(path, "this does not say what the exit means; add is: permanent, config, not_ready or transient");
    }
    let pattern = entry.r#match.as_deref().map(|pattern| regex(check, &at("match"), pattern, MAX_PATTERN));
    let is = match entry.is? {
        written::EndClass::Permanent => EndClass::Permanent,
        written::EndClass::Config => EndClass::Config,
        written::EndClass::NotReady => EndClass::NotReady,
        written::EndClass::Transient => EndClass::Transient,
    };
    Some(EndPattern { exit, pattern: pattern.flatten(), is })
}

/// Checks `progress:`.
pub(super) fn progress(check: &mut Check, path: &[&str], written: &[written::StagePattern]) -> Vec<StagePattern> {
    not_too_many(check, path, written.len());
    let entries = written.iter().enumerate();
    entries.filter_map(|(n, entry)| stage_pattern(check, &[path, &[&n.to_string()]].concat(), entry)).collect()
}

fn stage_pattern(check: &mut Check, path: &[&str], entry: &written::StagePattern) -> Option<StagePattern> {
    let at = |key| [path, &[key]].concat();
    for (key, is_there) in [("match", entry.r#match.is_some()), ("stage", entry.stage.is_some())] {
        if !is_there && !check.document.is_broken(&at(key)) {
            check
                .wrong(path, format!("this has no {key}; write it like {{match: 'Filtered to (\\d+)', stage: Pre-filtering, records: 1}}"));
        }
    }
    if let Some(stage) = &entry.stage {
        check.text(&at("stage"), stage);
    }
    let pattern = regex(check, &at("match"), entry.r#match.as_deref()?, MAX_PATTERN)?;
    let records = entry.records.map(|group| usize::try_from(group).unwrap_or_default());
    if records.is_some_and(|group| !(1..pattern.captures_len()).contains(&group)) {
        let groups = pattern.captures_len() - 1;
        check.wrong(
            &at("records"),
            format!("records is the number of a group of match, which has {groups}; put ( ) around the number there"),
        );
    }
    Some(StagePattern { pattern, stage: entry.stage.clone()?, records })
}

fn not_too_many(check: &mut Check, path: &[&str], entries: usize) {
    if entries > MOST {
        let name = check.document.named(path);
        check.wrong(path, format!("{name} has {entries} entries; {MOST} are the most"));
    }
}
