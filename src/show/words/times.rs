//! Points in time: for people in their zone, for programs in UTC.

use std::fmt;
use std::sync::OnceLock;

use chrono::{DateTime, FixedOffset, Local, NaiveDateTime, Offset, SecondsFormat, TimeZone, Utc};
use serde::{Serialize, Serializer};

/// A zone of times without an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// The zone of the process: `TZ` or, without it, the host's.
    Local,
    /// UTC.
    Utc,
}

/// In which zone times are shown and read: UTC until it is set.
static ZONES: OnceLock<(Zone, Zone)> = OnceLock::new();

/// From now on times are shown and read in these zones. Called once.
pub fn use_zones(shown: Zone, read: Zone) {
    // A second call is a bug of ours that must not take a run down: the first one stays.
    let _ = ZONES.set((shown, read));
}

/// The instant at which clocks show this; `None` where they leap over it. Of two such instants it is the first.
pub fn read_time(text: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zones().1 {
        Zone::Local => Local.from_local_datetime(&text).earliest().map(|at| at.to_utc()),
        Zone::Utc => Some(text.and_utc()),
    }
}

fn zones() -> (Zone, Zone) {
    ZONES.get().copied().unwrap_or((Zone::Utc, Zone::Utc))
}

/// A point in time in whole seconds: in text `2026-11-28 14:03:22 +01:00`, in JSON `2026-11-28T13:03:22Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub DateTime<Utc>);

impl Time {
    fn local(self) -> DateTime<FixedOffset> {
        match zones().0 {
            Zone::Local => self.0.with_timezone(&Local).fixed_offset(),
            Zone::Utc => self.0.fixed_offset(),
        }
    }

    /// `14:03:22`.
    pub fn clock(self) -> String {
        self.local().format("%H:%M:%S").to_string()
    }

    /// Beside the time `now`: `14:03` on the same day, and `2026-11-29 14:03` on another.
    pub fn beside(self, now: Self) -> String {
        beside(self.local(), now.local())
    }
}

fn beside(at: DateTime<FixedOffset>, now: DateTime<FixedOffset>) -> String {
    let form = if at.date_naive() == now.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.format(form).to_string()
}

fn written(at: DateTime<FixedOffset>) -> String {
    let form = if at.offset().fix().local_minus_utc() == 0 { "%Y-%m-%d %H:%M:%SZ" } else { "%Y-%m-%d %H:%M:%S %:z" };
    at.format(form).to_string()
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(self.local()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<FixedOffset> {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_names_its_offset() {
        assert_eq!(written(at("2026-11-28T14:03:22.9+01:00")), "2026-11-28 14:03:22 +01:00");
        assert_eq!(written(at("2026-11-28T14:03:22-03:30")), "2026-11-28 14:03:22 -03:30");
        assert_eq!(written(at("2026-11-28T14:03:22Z")), "2026-11-28 14:03:22Z");
    }

    #[test]
    fn the_date_is_left_out_where_it_is_the_same() {
        let now = at("2026-11-28T23:50:00+01:00");
        assert_eq!(beside(at("2026-11-28T23:59:59+01:00"), now), "23:59");
        assert_eq!(beside(at("2026-11-29T00:00:00+01:00"), now), "2026-11-29 00:00");
    }

    #[test]
    fn programs_get_utc() {
        assert_eq!(serde_json::to_string(&Time(at("2026-11-28T14:03:22.9+01:00").to_utc())).unwrap(), r#""2026-11-28T13:03:22Z""#);
    }
}
