//! The text format of Prometheus, as the textfile collector of node_exporter reads it.

use std::fmt::Write;

/// A text of metrics, all of them gauges: a file is written anew by each run, so that nothing in it could be counted up.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// Names of labels with their values.
pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

impl Exposition {
    /// Adds a metric, unless it has no sample.
    pub(super) fn gauge<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, f64)>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        // Writing to a text does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    /// Adds a metric without labels, unless its value is unknown.
    pub(super) fn value(&mut self, name: &str, help: &str, value: impl Into<Option<f64>>) {
        self.gauge(name, help, value.into().map(|value| (Labels::new(), value)));
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// The value of a metric without labels in such a text.
pub(super) fn value_in(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.parse().ok()
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_escaped_and_values_found_again() {
        let mut text = Exposition::default();
        text.gauge("a", "Of a.", [(vec![("etl", "x\"y\\z\nw"), ("b", "é")], 0.25)]);
        text.value("a_seconds", "Of seconds.", 1_764_380_000.0);
        text.value("nothing", "Of nothing.", None);
        let text = text.into_text();
        let expected = "# HELP a Of a.\n# TYPE a gauge\na{etl=\"x\\\"y\\\\z\\nw\",b=\"é\"} 0.25\n\
                        # HELP a_seconds Of seconds.\n# TYPE a_seconds gauge\na_seconds 1764380000\n";
        assert_eq!(text, expected);
        assert_eq!((value_in(&text, "a_seconds"), value_in(&text, "a"), value_in(&text, "nothing")), (Some(1_764_380_000.0), None, None));
    }
}
