//! `report_type` of an ETL: one type, or a list of types that count alike.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::check::Check;
use super::written;

/// What the value must be, for messages.
pub(super) const EXPECTED: &str = "text or a list of texts";

/// The types as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReportTypes {
    types: Vec<String>,
    is_list: bool,
}

impl ReportTypes {
    /// Each type with its path.
    fn with_paths<'a>(&'a self, name: &'a str) -> Vec<(Vec<Cow<'a, str>>, &'a str)> {
        let path = |n: usize| {
            let mut path: Vec<Cow<'a, str>> = vec!["etls".into(), name.into(), "report_type".into()];
            path.extend(self.is_list.then(|| n.to_string().into()));
            path
        };
        self.types.iter().enumerate().map(|(n, one)| (path(n), one.as_str())).collect()
    }
}

impl<'de> Deserialize<'de> for ReportTypes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = ReportTypes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ReportTypes, E> {
                Ok(ReportTypes { types: vec![text.to_owned()], is_list: false })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ReportTypes, A::Error> {
                let mut types = Vec::new();
                while let Some(one) = items.next_element()? {
                    types.push(one);
                }
                Ok(ReportTypes { types, is_list: true })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for ReportTypes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ReportTypes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})
    }
}

/// Checks the types of one ETL: the first, and the others. Both are empty where there is a mistake.
pub(super) fn check(check: &mut Check, name: &str, written: Option<&ReportTypes>) -> (String, Vec<String>) {
    let path = ["etls", name, "report_type"];
    let Some(written) = written else {
        check.missing(&path, format!("{name} has no report_type; name the type of its reports in the reports table"));
        return (String::new(), Vec::new());
    };
    for (path, one) in written.with_paths(name) {
        check.text(&path.iter().map(AsRef::as_ref).collect::<Vec<_>>(), one);
    }
    if let Some((first, others)) = written.types.split_first() {
        return (first.clone(), others.to_vec());
    }
    if !check.document.is_broken(&path) {
        check.wrong(&path, format!("{name} has no report_type in the list; name the type of its reports in the reports table"));
    }
    (String::new(), Vec::new())
}

/// Checks that no type stands twice: a row must be the report of one ETL.
pub(super) fn check_unique(check: &mut Check, names: &[String], written: &BTreeMap<String, written::Etl>) {
    let mut first: HashMap<&str, (&str, Vec<Cow<'_, str>>)> = HashMap::new();
    for name in names {
        let Some(types) = written.get(name).and_then(|etl| etl.report_type.as_ref()) else { continue };
        for (path, one) in types.with_paths(name) {
            let Some((other, other_path)) = first.get(one) else {
                first.insert(one, (name, path));
                continue;
            };
            let steps = |path: &[Cow<'_, str>]| path.iter().map(ToString::to_string).collect::<Vec<_>>();
            let (path, other_path) = (steps(&path), steps(other_path));
            let (path, other_path) = [&path, &other_path].map(|path| path.iter().map(String::as_str).collect::<Vec<_>>()).into();
            let at = check.document.position(&other_path);
            let shown = check.document.shown(&path, one);
            let message = if other == name {
                format!("report type {shown} stands twice; keep one")
            } else {
                format!("report type {shown} is used by {other} at {at} already; each ETL needs a type of its own")
            };
            check.wrong(&path, message);
        }
    }
}
