//! The file of institutions, from the rows of the availability table.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use super::{is_text, plain, quoted};
use crate::plan::decide::found_data::FoundBank;
use crate::plan::text::size::grouped;

/// Words that YAML, or people, may take for something else than a symbol.
const AMBIGUOUS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// The text of a file of institutions. Rows that cannot be a bank of it stand there as comments.
#[must_use]
pub fn institutions_skeleton(banks: &[FoundBank]) -> String {
    let mut text = "# The banks to look at: symbol as in the data, bank_id, name. `type` and `priority` may be added.\n".to_owned();
    let mut keys: HashSet<String> = HashSet::new();
    let mut ids: HashMap<i64, &str> = HashMap::new();
    for bank in banks {
        let rows = grouped(bank.rows);
        // Writing to a String cannot fail.
        let _ = match usable_id(bank, &keys, &ids) {
            Ok(id) => {
                keys.insert(bank.symbol.to_ascii_uppercase());
                ids.insert(id, &bank.symbol);
                writeln!(text, "{}: {{id: {id}, name: {}}}   # rows: {rows}", key(&bank.symbol), quoted(name(bank)))
            }
            Err(why) => writeln!(text, "# {} with bank_id {}: {why} (rows: {rows})", plain(&bank.symbol), plain(&bank.id)),
        };
    }
    if keys.is_empty() {
        text.push_str("# None was found in the data. This one is an example:\nRY-CA: {id: 1, name: \"Royal Bank of Canada\", type: \"Canadian_Banks\"}\n");
    }
    text
}

/// The id of a bank that can be monitored beside those before it, or why it cannot.
fn usable_id(bank: &FoundBank, keys: &HashSet<String>, ids: &HashMap<i64, &str>) -> Result<i64, String> {
    let is_symbol = bank.symbol.starts_with(|c: char| c.is_ascii_alphanumeric())
        && bank.symbol.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if !is_symbol {
        return Err("that is no symbol".to_owned());
    }
    if keys.contains(&bank.symbol.to_ascii_uppercase()) {
        return Err("more rows have another bank_id for this symbol".to_owned());
    }
    let id = bank.id.parse::<i64>().ok().filter(|id| *id >= 0).ok_or("that is no bank_id")?;
    match ids.get(&id) {
        Some(other) => Err(format!("more rows have this bank_id as {other}")),
        None => Ok(id),
    }
}

fn key(symbol: &str) -> String {
    let is_plain = symbol.starts_with(|c: char| c.is_ascii_alphabetic()) && !AMBIGUOUS.contains(&symbol.to_ascii_lowercase().as_str());
    if is_plain { symbol.to_owned() } else { quoted(symbol) }
}

fn name(bank: &FoundBank) -> &str {
    if is_text(&bank.name) && !bank.name.starts_with('-') { &bank.name } else { &bank.symbol }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bank_stands_there_once_and_what_cannot_as_a_comment() {
        let bank = |symbol: &str, id: &str, name: &str| FoundBank { symbol: symbol.into(), id: id.into(), name: name.into(), rows: 4 };
        let found = [
            bank("RY", "1", "Royal \"Bank\""),
            bank("ON", "2", "-x"),
            bank("ry", "9", "Royal"),
            bank("RY-CA", "1", "Royal"),
            bank("7", "7", ""),
            bank("a b", "3", "x"),
            bank("TD", "six\n", "x"),
        ];
        insta::assert_snapshot!(institutions_skeleton(&found), @r#"
        # The banks to look at: symbol as in the data, bank_id, name. `type` and `priority` may be added.
        RY: {id: 1, name: "Royal \"Bank\""}   # rows: 4
        "ON": {id: 2, name: "ON"}   # rows: 4
        # ry with bank_id 9: more rows have another bank_id for this symbol (rows: 4)
        # RY-CA with bank_id 1: more rows have this bank_id as RY (rows: 4)
        "7": {id: 7, name: "7"}   # rows: 4
        # a b with bank_id 3: that is no symbol (rows: 4)
        # TD with bank_id six : that is no bank_id (rows: 4)
        "#);
    }
}
