//! Checks `needs:` of the ETLs: each name is an ETL that is declared earlier, and there is no cycle.

use std::collections::BTreeSet;

use super::check::Check;
use crate::plan::model::etl::EtlIndex;
use crate::plan::text::nearest::suggestion;

/// An ETL's name with the names in its `needs`.
pub(super) type Needs<'a> = (&'a str, &'a [String]);

/// Checks the needs of all ETLs, given in the order of declaration. The result has the indices for each.
///
/// Chains run in the order of declaration, so a need that is declared later would never be met in the same run.
pub(super) fn needs(check: &mut Check, etls: &[Needs]) -> Vec<Vec<EtlIndex>> {
    let index = |name: &str| etls.iter().position(|(other, _)| *other == name);
    let in_cycle = report_cycles(check, etls);
    let mut indices = Vec::new();
    for (this, (etl, names)) in etls.iter().enumerate() {
        let mut own = Vec::new();
        for (n, name) in names.iter().enumerate() {
            let n = n.to_string();
            let path = ["etls", etl, "needs", &n];
            match index(name) {
                Some(needed) if own.contains(&needed) => {
                    let message = format!("{name} stands twice in needs of {etl}; keep one");
                    check.wrong(&path, message);
                }
                Some(needed) => {
                    if needed > this && !in_cycle.contains(&(this, needed)) {
                        let message = format!(
                            "{etl} needs {name}, which is declared later; ETLs run in the order of declaration, so move {name} before {etl}"
                        );
                        check.wrong(&path, message);
                    }
                    own.push(needed);
                }
                // An ETL with a mistake is not unknown: its own mistake is reported already.
                None if check.document.broken_keys(&["etls"]).any(|broken| broken == name) => {}
                None => {
                    let from_variable = check.document.variable(&path).is_some();
                    let hint = if from_variable { String::new() } else { suggestion(name, etls.iter().map(|(other, _)| *other)) };
                    let shown = check.document.shown(&path, name);
                    check.wrong(&path, format!("{etl} needs {shown}, which is no ETL here{hint}"));
                }
            }
        }
        indices.push(own);
    }
    indices
}

/// Reports each cycle once, at the need that closes it, and returns the needs that are part of one.
fn report_cycles(check: &mut Check, etls: &[Needs]) -> BTreeSet<(EtlIndex, EtlIndex)> {
    let edges: Vec<Vec<EtlIndex>> =
        etls.iter().map(|(_, names)| names.iter().filter_map(|name| etls.iter().position(|(other, _)| other == name)).collect()).collect();
    let mut in_cycle = BTreeSet::new();
    let mut done = vec![false; etls.len()];
    for start in 0..etls.len() {
        // Depth first, without recursion: `way` is the path from `start`, each ETL with the position of the need that is followed next.
        let mut way = vec![(start, 0)];
        while let Some((etl, next)) = way.last_mut() {
            let (from, n) = (*etl, *next);
            let Some(to) = edges[from].get(n).copied().filter(|_| !done[from]) else {
                done[from] = true;
                way.pop();
                continue;
            };
            *next += 1;
            let Some(begin) = way.iter().position(|(on_way, _)| *on_way == to) else {
                way.push((to, 0));
                continue;
            };
            let mut cycle: Vec<EtlIndex> = way[begin..].iter().map(|(etl, _)| *etl).collect();
            cycle.push(to);
            in_cycle.extend(cycle.windows(2).map(|pair| (pair[0], pair[1])));
            let names: Vec<&str> = cycle.iter().map(|etl| etls[*etl].0).collect();
            let message = format!("needs form a cycle: {}; none of these could ever run", names.join(" -> "));
            // The n-th edge need not be the n-th need: unknown names have no edge.
            let n = etls[from].1.iter().position(|name| name == etls[to].0).unwrap_or(n).to_string();
            check.wrong(&["etls", etls[from].0, "needs", &n], message);
        }
    }
    in_cycle
}
