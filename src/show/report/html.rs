//! Writes HTML in which nothing from outside can become markup: all text passes [`Content`].

use std::fmt::{self, Display, Write};

use chrono::{DateTime, SecondsFormat, Utc};

use super::super::words::{Time, Untrusted, grouped};

/// A page that is being written.
#[derive(Debug, Default)]
pub(super) struct Html(String);

/// Something that can be written as text, or as the value of an attribute.
pub(super) trait Content {
    fn write(&self, to: &mut Escaping<'_>) -> fmt::Result;
}

/// Where content is written: markup in it becomes text.
pub(super) struct Escaping<'h>(&'h mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

/// Text that is safe to show: what [`Untrusted`] displays. It is made once where it is written often.
#[derive(Debug, Clone)]
pub(super) struct Safe(String);

impl From<&Untrusted<'_>> for Safe {
    fn from(text: &Untrusted<'_>) -> Self {
        Self(text.to_string())
    }
}

impl Safe {
    /// A number with its thousands apart.
    pub(super) fn number(number: u64) -> Self {
        Self(grouped(number))
    }

    /// Safe text of text from outside.
    pub(super) fn of(text: impl Display) -> Self {
        Self(Untrusted::from(text.to_string()).to_string())
    }
}

/// Only text of our own lives that long.
impl Content for &'static str {
    fn write(&self, to: &mut Escaping<'_>) -> fmt::Result {
        to.write_str(self)
    }
}

impl Content for Safe {
    fn write(&self, to: &mut Escaping<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl Content for Untrusted<'_> {
    fn write(&self, to: &mut Escaping<'_>) -> fmt::Result {
        write!(to, "{self}")
    }
}

/// Numbers, and what is made of numbers and of words of our own.
macro_rules! displayed {
    ($($type:ty),+) => {$(
        impl Content for $type {
            fn write(&self, to: &mut Escaping<'_>) -> fmt::Result {
                write!(to, "{self}")
            }
        }
    )+};
}

displayed!(char, u16, u32, u64, usize, f64, Time);

impl<C: Content + ?Sized> Content for &C {
    fn write(&self, to: &mut Escaping<'_>) -> fmt::Result {
        (**self).write(to)
    }
}

impl<C: Content> Content for Option<C> {
    fn write(&self, to: &mut Escaping<'_>) -> fmt::Result {
        self.as_ref().map_or(Ok(()), |content| content.write(to))
    }
}

/// Several things after each other.
macro_rules! sequence {
    ($($name:ident $place:tt),+) => {
        impl<$($name: Content),+> Content for ($($name,)+) {
            fn write(&self, to: &mut Escaping<'_>) -> fmt::Result {
                $(self.$place.write(to)?;)+
                Ok(())
            }
        }
    };
}

sequence!(A 0, B 1);
sequence!(A 0, B 1, C 2);
sequence!(A 0, B 1, C 2, D 3);
sequence!(A 0, B 1, C 2, D 3, E 4);
sequence!(A 0, B 1, C 2, D 3, E 4, F 5);
sequence!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);

/// The attributes of an element, each with its value.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a dyn Content)];

impl Html {
    /// An element with what `inside` writes.
    pub(super) fn element(&mut self, name: &'static str, attributes: Attributes<'_>, inside: impl FnOnce(&mut Self)) {
        self.empty(name, attributes);
        inside(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// An element with a text.
    pub(super) fn text_in(&mut self, name: &'static str, attributes: Attributes<'_>, text: impl Content) {
        self.element(name, attributes, |html| html.text(text));
    }

    /// An element that has no end, such as `meta`.
    pub(super) fn empty(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(name);
        for (attribute, value) in attributes {
            self.0.push(' ');
            self.0.push_str(attribute);
            self.0.push_str("=\"");
            self.text(value);
            self.0.push('"');
        }
        self.0.push('>');
    }

    pub(super) fn text(&mut self, text: impl Content) {
        // Writing to a String cannot fail.
        let _ = text.write(&mut Escaping(&mut self.0));
    }

    /// A point in time: for people in their zone, and in UTC where they point at it.
    pub(super) fn time(&mut self, at: Time) {
        let Time(instant) = at;
        self.element("time", &[("datetime", &rfc3339(instant)), ("title", &utc(instant))], |html| html.text(at));
    }

    /// The end of a line.
    pub(super) fn line_end(&mut self) {
        self.0.push('\n');
    }

    /// Markup of our own.
    pub(super) fn markup(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

fn rfc3339(at: DateTime<Utc>) -> Safe {
    Safe(at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn utc(at: DateTime<Utc>) -> Safe {
    Safe(at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let mut html = Html::default();
        let hostile = Untrusted::from("</td><script>alert('1')</script> \"&\u{202e}\u{1b}");
        html.element("p", &[("title", &hostile)], |html| html.text((&hostile, " ", 7_u64)));
        let escaped = "&lt;/td&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &quot;&amp;\\u{202e}\\u{1b}";
        assert_eq!(html.finish(), format!("<p title=\"{escaped}\">{escaped} 7</p>"));
    }

    #[test]
    fn a_time_says_what_it_is_in_utc() {
        let mut html = Html::default();
        html.time(Time("2026-01-16T05:30:00Z".parse().unwrap()));
        let html = html.finish();
        assert!(html.starts_with("<time datetime=\"2026-01-16T05:30:00Z\" title=\"2026-01-16 05:30:00 UTC\">"), "{html}");
    }
}
