//! Values of the configuration that YAML has no type for.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use crate::plan::model::retention::Keep;
use crate::plan::text::span::{self, InvalidSpan};

/// A number of chains, or `auto`.
#[derive(Debug, Clone, Copy)]
pub(super) enum MaxParallel {
    /// By the machine.
    Auto,
    /// As written.
    Count(i64),
}

impl<'de> Deserialize<'de> for MaxParallel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = MaxParallel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or auto")
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<MaxParallel, E> {
                Ok(MaxParallel::Count(count))
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<MaxParallel, E> {
                Ok(MaxParallel::Count(i64::try_from(count).unwrap_or(i64::MAX)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<MaxParallel, E> {
                if text == "auto" { Ok(MaxParallel::Auto) } else { Err(E::custom("expected a whole number or auto")) }
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for MaxParallel {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MaxParallel".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]})
    }
}

/// 100 years: a point in time this far away can still be computed with.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A duration as people write it: `15m`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrittenDuration(pub(super) Duration);

impl<'de> Deserialize<'de> for WrittenDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = WrittenDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration like 15m or 1h 30m")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<WrittenDuration, E> {
                let duration = span::parse(text).map_err(E::custom)?;
                if duration > LONGEST {
                    return Err(E::custom("longer than 100 years; write a duration like 15m or 1h 30m"));
                }
                Ok(WrittenDuration(duration))
            }
        }

        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for WrittenDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration such as 15m, 1h 30m or 10s.",
            "pattern": "^\\s*(0|([0-9]+(\\.[0-9]+)?\\s*(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|wks?|w)\\s*)+)$"
        })
    }
}

/// How long something is kept: a duration, or `forever`.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrittenKeep(pub(super) Keep);

impl<'de> Deserialize<'de> for WrittenKeep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = WrittenKeep;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration like 30d, or forever")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<WrittenKeep, E> {
                if text == "forever" {
                    return Ok(WrittenKeep(Keep::Forever));
                }
                let span = span::parse(text).map_err(|error| match error {
                    InvalidSpan::Form => E::custom("not a duration; write it like 30d, or forever"),
                    InvalidSpan::Calendar => E::custom(error),
                })?;
                if span > LONGEST {
                    return Err(E::custom("longer than 100 years; write forever"));
                }
                Ok(WrittenKeep(Keep::For(span)))
            }
        }

        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for WrittenKeep {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Keep".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<WrittenDuration>(), {"const": "forever"}]})
    }
}

/// A version as people write it: text or a number. What was written is in the document, as a number would lose it (`1.10`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Version;

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Version;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a number")
            }

            fn visit_i64<E>(self, _: i64) -> Result<Version, E> {
                Ok(Version)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Version, E> {
                Ok(Version)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Version, E> {
                Ok(Version)
            }

            fn visit_str<E>(self, _: &str) -> Result<Version, E> {
                Ok(Version)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number"]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spans_of_a_bounded_length() {
        let span = |text: &str| serde_json::from_value::<WrittenDuration>(serde_json::json!(text)).map(|written| written.0.as_secs()).ok();
        assert_eq!(span("15m"), Some(900));
        for bad in ["15", "1M", "40000d"] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }
}
