//! No file, however broken, is more than an error.

use proptest::prelude::*;

use super::*;

/// Texts made of pieces that mean something to YAML and to us.
fn pieces() -> impl Strategy<Value = String> {
    let pieces = [
        "etls:",
        "run: ",
        "a: ",
        "\n",
        "  ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ": ",
        "&x ",
        "*x",
        "!t ",
        "|\n",
        "\"",
        "'",
        "# ",
        "---\n",
        "...\n",
        "${N}",
        "${",
        "{period}",
        "5",
        "1e9",
        "~",
        "command: ",
        "needs: ",
        "retry: ",
        "%YAML 1.2\n",
        "? ",
        "<<: ",
        "\t",
        "\u{feff}",
        "é",
        "\0",
        "\\x",
        "15m",
        "id: ",
        "name: ",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_the_loader(config in prop_oneof![any::<String>(), pieces()], banks in prop_oneof![any::<String>(), pieces()], dotenv in any::<String>()) {
        let directory = directory(&[("etl-orch.yaml", &config), ("monitored_institutions.yaml", &banks), (".env", &dotenv)]);
        let _ = load_in(directory.path(), &[("N", "{1")]);
    }

    #[test]
    fn no_damage_to_a_good_file_panics_the_loader(at in 0_usize..3000, cut in 0_usize..20, piece in pieces()) {
        let good = std::fs::read_to_string(shipped("etl-orch.yaml")).unwrap();
        let chars: Vec<char> = good.chars().collect();
        let at = at.min(chars.len());
        let bad: String = chars[..at].iter().chain(piece.chars().collect::<Vec<_>>().iter()).chain(chars[(at + cut).min(chars.len())..].iter()).collect();
        let _ = load_text(&bad);
    }

    #[test]
    fn no_value_in_the_place_of_a_good_one_panics_the_loader(changes in proptest::collection::vec((0_usize..400, values()), 1..4)) {
        let good = std::fs::read_to_string(shipped("production.example.yaml")).unwrap();
        let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
        for (line, value) in changes {
            let at = line % lines.len();
            // In the place of what is behind the last colon, or in that of the whole line.
            let kept = lines[at].rfind(": ").map_or("", |colon| &lines[at][..colon + 2]).to_owned();
            lines[at] = kept + &value;
        }
        let directory = directory(&[("etl-orch.yaml", &lines.join("\n")), ("monitored_institutions.yaml", BANKS)]);
        let environment = [("N", "{1"), ("ETL_URL", "http://h"), ("ETL_API_KEY", "k"), ("POSTGRES_HOST", "h"), ("POSTGRES_DATABASE", "d"), ("POSTGRES_USER", "u")];
        let _ = load_in(directory.path(), &environment);
    }
}

/// Values that are too large, too long, too deep or of another kind.
fn values() -> impl Strategy<Value = String> {
    let fixed = [
        "99999999999999999999999999",
        "-9223372036854775808",
        "18446744073709551615",
        "1e308",
        "-1e-308",
        ".nan",
        "0x7fffffffffffffff",
        "584942417355y",
        "99y 364d",
        "0s",
        "''",
        "~",
        "[]",
        "{}",
        "[[[[[[[[]]]]]]]]",
        "'{bank_name}{bank_name}{output}'",
        "'{{{{}}}}'",
        "'${N}${N}${N:-${N}}'",
        "'(a{1000}){1000}'",
        "'(?P<x>(((((\\d+)*)*)*)*)*'",
        "\"a\\0b\"",
        "\"a\\nb\"",
        "'\u{202e}'",
        "sqlite:///dev/null",
        "postgres://u:p/w@h/db",
        "2026-13-45",
        "9999-12-31T23:59:60Z",
        "0001-01-01",
        "America/Nowhere",
        "/../../../..",
        "&a [*a]",
        "*a",
    ];
    prop_oneof![
        proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        "[0-9]{1,20}(ns|us|ms|s|m|h|d|w|M|y)",
        (1_usize..300_000).prop_map(|length| "x".repeat(length)),
        any::<String>(),
    ]
}
