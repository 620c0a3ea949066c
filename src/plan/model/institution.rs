//! The monitored banks, and how a symbol in the data or on the command line finds one.

use std::collections::HashMap;

use crate::plan::text::nearest::{all_of, did_you_mean};

/// A bank of `monitored_institutions.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Institution {
    /// The whole key, `RY-CA`.
    pub key: String,
    /// The bank's number in the data tables.
    pub id: i64,
    /// `Royal Bank of Canada`.
    pub name: String,
    /// Group, such as `Canadian_Banks`: whether a bank's data is late is judged beside those of its group.
    pub kind: Option<String>,
    /// Chains of a higher priority start first. 0 unless given.
    pub priority: i64,
    /// Where it is written, as `FILE:LINE:COLUMN`.
    pub place: String,
}

impl Institution {
    /// The short symbol: the key without its country, `RY`.
    #[must_use]
    pub fn symbol(&self) -> &str {
        stem(&self.key)
    }
}

/// Position of a bank in its [`Institutions`]; also its order among banks that are equal otherwise.
pub type BankIndex = usize;

/// Every monitored bank, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Institutions {
    banks: Vec<Institution>,
    by_symbol: HashMap<String, BankIndex>,
}

/// Why a `--bank-symbol` selects no bank.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No monitored bank has this symbol.
    #[error("unknown bank {wanted:?}{hint}")]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// `; did you mean RY-CA?`, or empty.
        hint: String,
    },
    /// Several monitored banks share this stem.
    #[error("bank {wanted:?} is ambiguous; write one of {}", keys.join(", "))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// The full keys that it could mean.
        keys: Vec<String>,
    },
}

impl Institutions {
    /// Indexes the banks by the symbols under which the data may know them: the full key, and the stem where no other
    /// bank has it.
    #[must_use]
    pub fn new(banks: Vec<Institution>) -> Self {
        let mut stems: HashMap<&str, usize> = HashMap::new();
        for bank in &banks {
            *stems.entry(bank.symbol()).or_default() += 1;
        }
        let mut by_symbol = HashMap::new();
        for (index, bank) in banks.iter().enumerate() {
            if stems[bank.symbol()] == 1 {
                by_symbol.insert(bank.symbol().to_owned(), index);
            }
        }
        // Full keys last: a key that equals another bank's stem is that key's.
        for (index, bank) in banks.iter().enumerate() {
            by_symbol.insert(bank.key.clone(), index);
        }
        Self { banks, by_symbol }
    }

    /// How many banks are monitored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.banks.len()
    }

    /// Whether no bank is monitored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.banks.is_empty()
    }

    /// The bank at `index`.
    ///
    /// # Panics
    /// When `index` did not come from these institutions.
    #[must_use]
    pub fn get(&self, index: BankIndex) -> &Institution {
        &self.banks[index]
    }

    /// All banks with their index, in file order.
    pub fn iter(&self) -> impl Iterator<Item = (BankIndex, &Institution)> {
        self.banks.iter().enumerate()
    }

    /// The bank that a symbol in the data means, in exactly the data's spelling.
    #[must_use]
    pub fn by_data_symbol(&self, symbol: &str) -> Option<BankIndex> {
        self.by_symbol.get(symbol).copied()
    }

    /// Every symbol under which the data may know a bank, with that bank; for the database's join.
    pub fn data_symbols(&self) -> impl Iterator<Item = (&str, BankIndex)> {
        self.by_symbol.iter().map(|(symbol, index)| (symbol.as_str(), *index))
    }

    /// How a new row of the data spells this bank: the short symbol, unless another bank shares it.
    #[must_use]
    pub fn data_symbol<'a>(&self, bank: &'a Institution) -> &'a str {
        let is_its_own = self.by_data_symbol(bank.symbol()).is_some_and(|index| self.banks[index].key == bank.key);
        if is_its_own { bank.symbol() } else { &bank.key }
    }

    /// The bank that a person means by `RY`, `ry` or `RY-CA`.
    ///
    /// # Errors
    /// When no bank, or more than one, has that symbol.
    pub fn select(&self, wanted: &str) -> Result<BankIndex, SelectError> {
        if let Some((index, _)) = self.iter().find(|(_, bank)| bank.key.eq_ignore_ascii_case(wanted)) {
            return Ok(index);
        }
        let matching: Vec<_> = self.iter().filter(|(_, bank)| bank.symbol().eq_ignore_ascii_case(wanted)).collect();
        match matching.as_slice() {
            [(index, _)] => Ok(*index),
            [] => {
                let names = self.banks.iter().flat_map(|bank| [bank.key.as_str(), self.data_symbol(bank), bank.name.as_str()]);
                let question = did_you_mean(wanted, names);
                let all: Vec<&str> = self.banks.iter().map(|bank| self.data_symbol(bank)).collect();
                let hint = all_of(&all, &question);
                Err(SelectError::Unknown { wanted: wanted.to_owned(), hint: question + &hint })
            }
            several => {
                Err(SelectError::Ambiguous { wanted: wanted.to_owned(), keys: several.iter().map(|(_, bank)| bank.key.clone()).collect() })
            }
        }
    }
}

/// `RY` of `RY-CA`: a key without its two-letter country, or the key itself.
#[must_use]
pub fn stem(key: &str) -> &str {
    match key.rsplit_once('-') {
        Some((stem, country)) if !stem.is_empty() && country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase()) => stem,
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banks(keys: &[&str]) -> Institutions {
        Institutions::new(
            keys.iter()
                .zip(1..)
                .map(|(key, id)| Institution {
                    key: (*key).to_owned(),
                    id,
                    name: format!("Bank {key}"),
                    kind: None,
                    priority: 0,
                    place: String::new(),
                })
                .collect(),
        )
    }

    #[test]
    fn the_data_may_use_the_stem_or_the_key() {
        let banks = banks(&["RY-CA", "BMO-CA"]);
        assert_eq!(banks.by_data_symbol("RY"), Some(0));
        assert_eq!(banks.by_data_symbol("RY-CA"), Some(0));
        assert_eq!(banks.by_data_symbol("BMO"), Some(1));
        assert_eq!(banks.by_data_symbol("ry"), None);
        assert_eq!(banks.by_data_symbol("TD"), None);
    }

    #[test]
    fn a_shared_stem_matches_nobody() {
        let banks = banks(&["C-CA", "C-US"]);
        assert_eq!(banks.by_data_symbol("C"), None);
        assert_eq!(banks.by_data_symbol("C-US"), Some(1));
        assert_eq!(banks.select("c-us"), Ok(1));
        assert_eq!(banks.select("c").unwrap_err().to_string(), "bank \"c\" is ambiguous; write one of C-CA, C-US");
    }

    #[test]
    fn a_new_row_is_spelled_so_that_it_is_found_again() {
        let banks = banks(&["RY-CA", "C", "C-US"]);
        let spelled: Vec<&str> = banks.iter().map(|(_, bank)| banks.data_symbol(bank)).collect();
        assert_eq!(spelled, ["RY", "C", "C-US"]);
    }

    #[test]
    fn people_may_write_any_case_and_learn_the_nearest() {
        let banks = banks(&["RY-CA", "BMO-CA"]);
        assert_eq!(banks.select("ry"), Ok(0));
        assert_eq!(banks.select("Ry-Ca"), Ok(0));
        assert_eq!(banks.select("BMQ").unwrap_err().to_string(), "unknown bank \"BMQ\"; did you mean BMO, BMO-CA? There are RY, BMO");
    }

    #[test]
    fn only_a_country_is_cut_off() {
        assert_eq!(stem("RY-CA"), "RY");
        assert_eq!(stem("BRK-B-US"), "BRK-B");
        assert_eq!(stem("BRK-B"), "BRK-B");
        assert_eq!(stem("-CA"), "-CA");
    }
}
