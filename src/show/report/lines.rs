//! Parts that several sections have: tables, and small charts.

use super::html::{Content, Html, Safe};

/// A table that scrolls by itself where the page is narrow. `heading` is the id of what names it.
pub(super) fn table(html: &mut Html, heading: &'static str, caption: impl Content, head: &[&'static str], rows: impl FnOnce(&mut Html)) {
    html.element("div", &[("class", &"scroll"), ("role", &"region"), ("aria-labelledby", &heading), ("tabindex", &"0")], |html| {
        html.element("table", &[("class", &"list")], |html| {
            html.text_in("caption", &[], caption);
            html.element("thead", &[], |html| {
                html.element("tr", &[], |html| head.iter().for_each(|name| html.text_in("th", &[("scope", &"col")], *name)));
            });
            html.element("tbody", &[], rows);
        });
    });
    html.line_end();
}

/// The width of a chart, in units of its own.
pub(super) const WIDTH: u64 = 1000;

/// A chart of this height that is as wide as its place, with what it shows in words.
pub(super) fn chart(html: &mut Html, height: u64, label: impl Content, inside: impl FnOnce(&mut Html)) {
    let view_box = ("0 0 ", WIDTH, " ", height);
    let size: [(&'static str, &dyn Content); 5] =
        [("viewBox", &view_box), ("height", &height), ("preserveAspectRatio", &"none"), ("role", &"img"), ("aria-label", &label)];
    html.element("svg", &size, inside);
}

/// A line over these values, from 0 to the largest. `label` says what they are.
pub(super) fn sparkline(html: &mut Html, values: &[f64], label: impl Content) {
    const HEIGHT: f64 = 32.0;
    const MARGIN: f64 = 2.0;
    let largest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let steps = values.len().saturating_sub(1).max(1);
    #[expect(clippy::cast_precision_loss, reason = "there are not that many days")]
    let point = |(n, value): (usize, &f64)| {
        let (x, y) = (n as f64 * WIDTH as f64 / steps as f64, HEIGHT - MARGIN - value / largest * (HEIGHT - 2.0 * MARGIN));
        format!("{x:.0},{y:.1}")
    };
    let mut points: Vec<String> = values.iter().enumerate().map(point).collect();
    if let [one] = points.as_slice() {
        // A single value is a line too.
        let level = one.split_once(',').map(|(_, y)| format!("{WIDTH},{y}"));
        points.extend(level);
    }
    chart(html, 32, label, |html| {
        html.element("polyline", &[("class", &"spark"), ("points", &Safe::of(points.join(" ")))], |_| {});
    });
}
