//! `pools:`, and the pool that an ETL names.

use std::collections::BTreeMap;

use super::check::Check;
use super::run::small;
use crate::plan::model::etl::Pool;
use crate::plan::text::nearest::suggestion;

/// Checks `pools:`.
pub(super) fn pools(check: &mut Check, written: BTreeMap<String, i64>) -> Vec<Pool> {
    let pool = |(name, limit): (String, i64)| {
        let path = ["pools", &name];
        check.name(&path, &name, "a pool");
        let limit = small(check.within(&path, Some(limit), 1..=10_000, 1));
        Pool { name, limit }
    };
    written.into_iter().map(pool).collect()
}

/// The pool of this name, which stands at `path`.
pub(super) fn named(check: &mut Check, path: &[&str], name: &str, pools: &[Pool]) -> Option<Pool> {
    let found = pools.iter().find(|pool| pool.name == name);
    // A pool with a mistake in its own value is not unknown: that mistake is reported already.
    if found.is_none() && !check.document.is_broken(&["pools", name]) {
        let from_variable = check.document.variable(path).is_some();
        let hint = if from_variable { String::new() } else { suggestion(name, pools.iter().map(|pool| pool.name.as_str())) };
        let shown = check.document.shown(path, name);
        let advice = if pools.is_empty() { "; there are none, add it under pools" } else { &hint };
        check.wrong(path, format!("{} is {shown}, which is no pool here{advice}", check.document.named(path)));
    }
    found.cloned()
}
