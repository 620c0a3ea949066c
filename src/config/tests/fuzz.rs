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
}
