//! Whole numbers as options have them.

use std::fmt::Display;
use std::ops::{Bound, RangeBounds};
use std::str::FromStr;

/// Reads a whole number within these bounds.
pub(super) fn within<N>(bounds: impl RangeBounds<N> + Clone) -> impl Fn(&str) -> Result<N, String> + Clone
where
    N: FromStr + PartialOrd + Display,
{
    move |text| {
        let number = text.trim().parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| match (bounds.start_bound(), bounds.end_bound()) {
            (Bound::Included(least), Bound::Included(most)) => format!("write a whole number from {least} to {most}"),
            (Bound::Included(least), _) => format!("write a whole number from {least}"),
            (_, _) => "write a whole number".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_and_within_bounds() {
        let year = within::<u16>(1900..=2999);
        assert_eq!(year("2025"), Ok(2025));
        for bad in ["", "abc", "25", "-1", "2025.5", "70000"] {
            assert_eq!(year(bad).unwrap_err(), "write a whole number from 1900 to 2999", "{bad}");
        }
        assert_eq!(within::<u32>(1..)("0").unwrap_err(), "write a whole number from 1");
    }
}
