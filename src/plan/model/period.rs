//! Fiscal periods: a year and a quarter.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::plan::text::number;

/// A fiscal quarter, `Q1` to `Q4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quarter {
    /// First quarter.
    Q1,
    /// Second quarter.
    Q2,
    /// Third quarter.
    Q3,
    /// Fourth quarter.
    Q4,
}

impl Quarter {
    /// As the data tables write it: `Q1` to `Q4`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Q1 => "Q1",
            Self::Q2 => "Q2",
            Self::Q3 => "Q3",
            Self::Q4 => "Q4",
        }
    }
}

impl FromStr for Quarter {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Q1" => Ok(Self::Q1),
            "Q2" => Ok(Self::Q2),
            "Q3" => Ok(Self::Q3),
            "Q4" => Ok(Self::Q4),
            _ => Err(InvalidPeriod::Quarter(text.to_owned())),
        }
    }
}

/// A fiscal year and quarter. Orders by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    year: u16,
    quarter: Quarter,
}

/// Why a period cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPeriod {
    /// The year is no number between [`Period::FIRST_YEAR`] and [`Period::LAST_YEAR`].
    #[error("fiscal year {0:?} is not a year from 1900 to 2999")]
    Year(String),
    /// The quarter is none of `Q1` to `Q4`.
    #[error("quarter {0:?} is not one of Q1, Q2, Q3, Q4")]
    Quarter(String),
    /// The text does not look like a period at all.
    #[error("{0:?} is not a fiscal period; expected a period such as 2025Q2")]
    Shape(String),
}

impl Period {
    /// The earliest fiscal year that is taken for one.
    pub const FIRST_YEAR: u16 = 1900;
    /// The latest fiscal year that is taken for one.
    pub const LAST_YEAR: u16 = 2999;

    /// A period from the two columns of a data table.
    ///
    /// # Errors
    /// When either column holds something else than a year or a quarter.
    pub fn from_columns(year: &str, quarter: &str) -> Result<Self, InvalidPeriod> {
        let quarter = quarter.parse()?;
        let year = number::whole(year)
            .and_then(|year| u16::try_from(year).ok())
            .filter(|year| (Self::FIRST_YEAR..=Self::LAST_YEAR).contains(year))
            .ok_or_else(|| InvalidPeriod::Year(year.to_owned()))?;
        Ok(Self { year, quarter })
    }

    /// The fiscal year.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// The fiscal quarter.
    #[must_use]
    pub fn quarter(self) -> Quarter {
        self.quarter
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        let next = match self.quarter {
            Quarter::Q1 => Self { quarter: Quarter::Q2, ..self },
            Quarter::Q2 => Self { quarter: Quarter::Q3, ..self },
            Quarter::Q3 => Self { quarter: Quarter::Q4, ..self },
            Quarter::Q4 => Self { year: self.year + 1, quarter: Quarter::Q1 },
        };
        (next.year <= Self::LAST_YEAR).then_some(next)
    }

    /// The last day of the quarter of the calendar that has its name. The fiscal quarter of a bank may end earlier or later, but always by
    /// about as much.
    #[must_use]
    pub fn calendar_end(self) -> NaiveDate {
        let (month, day) = match self.quarter {
            Quarter::Q1 => (3, 31),
            Quarter::Q2 => (6, 30),
            Quarter::Q3 => (9, 30),
            Quarter::Q4 => (12, 31),
        };
        NaiveDate::from_ymd_opt(i32::from(self.year), month, day).unwrap_or_default()
    }

    /// `2025Q2`, as it stands in gap keys, paths and options.
    #[must_use]
    pub fn compact(self) -> String {
        format!("{}{}", self.year, self.quarter.as_str())
    }
}

/// `2025 Q2`, as people read it.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.year, self.quarter.as_str())
    }
}

/// Takes `2025Q2`, `2025q2`, `2025-Q2` and `2025 Q2`.
impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.trim().to_ascii_uppercase();
        let split = upper.find('Q').ok_or_else(|| InvalidPeriod::Shape(text.to_owned()))?;
        let (year, quarter) = upper.split_at(split);
        let year = year.trim_end_matches([' ', '-']);
        if year.len() != 4 || !year.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(InvalidPeriod::Shape(text.to_owned()));
        }
        Self::from_columns(year, quarter)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Period {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.compact())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_columns_hold() {
        assert_eq!(Period::from_columns("2025.00", "Q2"), Period::from_columns("2025", "Q2"));
        let period = Period::from_columns("2025", "Q2").unwrap();
        assert_eq!((period.year(), period.quarter()), (2025, Quarter::Q2));
        assert_eq!(period.to_string(), "2025 Q2");
        assert_eq!(period.compact(), "2025Q2");
    }

    #[test]
    fn refuses_what_is_no_period() {
        for (year, quarter) in
            [("2025", "Q5"), ("2025", "q2"), ("2025", ""), ("1899", "Q1"), ("3000", "Q1"), ("x", "Q1"), ("-1", "Q1"), ("2025.5", "Q1")]
        {
            assert!(Period::from_columns(year, quarter).is_err(), "{year} {quarter}");
        }
    }

    #[test]
    fn options_may_be_written_in_several_ways() {
        for text in ["2025Q2", "2025q2", "2025-Q2", "2025 Q2", " 2025Q2 "] {
            assert_eq!(text.parse::<Period>().unwrap().compact(), "2025Q2", "{text}");
        }
        for text in ["2025Q5", "2025Q2Q3", "1899Q1", "3000Q1"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
        for text in ["", "2025", "Q2", "25Q2", "+2025Q2", "2025.0Q2", "x"] {
            let error = text.parse::<Period>().unwrap_err().to_string();
            assert_eq!(error, format!("{text:?} is not a fiscal period; expected a period such as 2025Q2"));
        }
    }

    #[test]
    fn orders_by_time() {
        let mut periods: Vec<Period> = ["2025Q1", "2024Q4", "2025Q2"].iter().map(|p| p.parse().unwrap()).collect();
        periods.sort();
        assert_eq!(periods.iter().map(|p| p.compact()).collect::<Vec<_>>(), ["2024Q4", "2025Q1", "2025Q2"]);
    }
}
