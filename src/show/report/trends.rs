//! How long the reports take, and what they cost, over the last weeks.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::words::{Untrusted, brief, grouped};
use super::ReportView;
use super::html::{Html, Safe};
use super::lines::{sparkline, table};
use crate::plan::remember::past::{DayMetric, DayOfWork};

pub(super) fn section(html: &mut Html, view: &ReportView<'_>) {
    if view.facts.work.is_empty() {
        html.text_in("p", &[], "Nothing was made in the last 30 days.");
    } else {
        durations(html, view);
    }
    if !view.facts.metrics.is_empty() {
        metrics(html, view);
    }
}

fn durations(html: &mut Html, view: &ReportView<'_>) {
    let mut of: BTreeMap<&str, Vec<&DayOfWork>> = BTreeMap::new();
    for day in &view.facts.work {
        of.entry(&day.filled_by).or_default().push(day);
    }
    html.element("div", &[("class", &"sparks")], |html| {
        let head = ["ETL or source", "Made", "Mean", "Longest", "Mean of each day"];
        table(html, "h-trends", "What succeeded in the last 30 days", &head, |html| {
            for (name, days) in of {
                row(html, name, &days);
            }
        });
    });
}

fn row(html: &mut Html, name: &str, days: &[&DayOfWork]) {
    let succeeded: u64 = days.iter().map(|day| day.succeeded).sum();
    let total: Duration = days.iter().map(|day| day.total).sum();
    let mean = total.checked_div(u32::try_from(succeeded.max(1)).unwrap_or(u32::MAX)).unwrap_or_default();
    let longest = days.iter().map(|day| day.longest).max().unwrap_or_default();
    html.element("tr", &[], |html| {
        html.text_in("th", &[("scope", &"row")], Untrusted::from(name));
        html.text_in("td", &[("class", &"number")], Safe::number(succeeded));
        html.text_in("td", &[("class", &"number")], Safe::of(brief(mean)));
        html.text_in("td", &[("class", &"number")], Safe::of(brief(longest)));
        html.element("td", &[], |html| {
            let means: Vec<f64> = days.iter().map(|day| day.mean().as_secs_f64()).collect();
            sparkline(html, &means, over_days(days));
        });
    });
    html.line_end();
}

/// `1m 20s on 2026-11-01, 2m on 2026-11-28`.
fn over_days(days: &[&DayOfWork]) -> Safe {
    let ends = days.first().into_iter().chain(days.last().filter(|_| days.len() > 1));
    let ends: Vec<String> = ends.map(|day| format!("{} on {}", brief(day.mean()), day.day)).collect();
    Safe::of(ends.join(", "))
}

/// Costs and other numbers that ETLs say of themselves.
fn metrics(html: &mut Html, view: &ReportView<'_>) {
    let mut of: BTreeMap<&str, Vec<&DayMetric>> = BTreeMap::new();
    for day in &view.facts.metrics {
        of.entry(&day.metric.name).or_default().push(day);
    }
    html.element("div", &[("class", &"sparks")], |html| {
        let head = ["Metric", "Sum", "Least in a day", "Most in a day", "Sum of each day"];
        table(html, "h-trends", "What ETLs said of the last 30 days", &head, |html| {
            for (name, days) in of {
                let values: Vec<f64> = days.iter().map(|day| day.metric.value).collect();
                let (least, most) = (values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max));
                html.element("tr", &[], |html| {
                    html.text_in("th", &[("scope", &"row")], Untrusted::from(name));
                    for number in [values.iter().sum(), least, most] {
                        html.text_in("td", &[("class", &"number")], Safe::of(decimal(number)));
                    }
                    let ends = days.first().into_iter().chain(days.last().filter(|_| days.len() > 1));
                    let ends: Vec<String> = ends.map(|day| format!("{} on {}", decimal(day.metric.value), day.day)).collect();
                    html.element("td", &[], |html| sparkline(html, &values, Safe::of(ends.join(", "))));
                });
                html.line_end();
            }
        });
    });
}

/// A sum of whatever unit: `1,234,567`, `12.5`, `0.0043`.
fn decimal(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive, and of no more digits than people read")]
    if number >= 1000.0 {
        return grouped(number.round() as u64);
    }
    let digits = if number.abs() >= 1.0 { 2 } else { 4 };
    let text = format!("{number:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_as_many_digits_as_people_read() {
        let written = [1_234_567.8, 999.999, 12.5, 3.0, 0.00432, 0.0, -2.25].map(decimal);
        assert_eq!(written, ["1,234,568", "1000", "12.5", "3", "0.0043", "0", "-2.25"]);
    }
}
