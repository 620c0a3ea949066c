//! Sums of metrics, such as what the LLM has cost.

use std::collections::BTreeMap;

use serde::Serialize;

use super::words::{Untrusted, grouped};
use crate::plan::model::said::Metric;

/// Metrics: in JSON an object of numbers.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    pub(super) fn new(metrics: &[Metric]) -> Self {
        let entry = |metric: &Metric| (Untrusted::from(metric.name.as_str()).to_string(), (metric.value * 1e9).round() / 1e9);
        Self(metrics.iter().map(entry).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `llm_cost_usd 1.92 · tokens 48,113`
    pub(super) fn line(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name} {}", number(*value))).collect::<Vec<_>>().join(" · ")
    }
}

/// Whole numbers whole, others to two decimal places, and small ones to four.
fn number(value: f64) -> String {
    let places = if value.fract() == 0.0 {
        0
    } else if value.abs() < 1.0 {
        4
    } else {
        2
    };
    let text = format!("{value:.places$}");
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |text| ("-", text));
    let (whole, decimals) = text.split_at(text.find('.').unwrap_or(text.len()));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    format!("{sign}{whole}{decimals}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_at_a_glance() {
        let metric = |name: &str, value| Metric { name: name.to_owned(), value };
        let metrics =
            Metrics::new(&[metric("tokens", 48113.0), metric("llm_cost_usd", 1.6 + 0.32), metric("a\u{1b}", -1234.5), metric("b", 0.0123)]);
        assert_eq!(metrics.line(), "a\\u{1b} -1,234.50 · b 0.0123 · llm_cost_usd 1.92 · tokens 48,113");
        assert_eq!(serde_json::to_string(&metrics).unwrap(), r#"{"a\\u{1b}":-1234.5,"b":0.0123,"llm_cost_usd":1.92,"tokens":48113.0}"#);
    }
}
