//! Checks events by the classes that OpenLineage generates from its published schema, where `scripts/test.sh` could install these.

use serde_json::Value;

use super::python;

/// Builds them.
pub(super) fn check(events: &[Value]) {
    let text = serde_json::to_string(events).expect("JSON");
    if let Some(said) = python::said(include_str!("openlineage.py"), &text) {
        let facets = text.matches("\"_schemaURL\"").count();
        assert_eq!(said, format!("{} events {facets} facets", events.len()));
    }
}
