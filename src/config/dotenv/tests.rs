use proptest::prelude::*;

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn environment() -> Variables {
    variables(&[("HOME", "/home/me"), ("EMPTY", "")])
}

fn read_text(text: &str) -> Variables {
    parse(text, &environment()).unwrap().variables
}

/// Made by python-dotenv 1.2.4 (`DotEnv(stream=..., override=False).dict()`), except where a comment says otherwise.
const VALUES: &[(&str, &str)] = &[
    ("pa$word123", "pa$word123"),
    ("pa$$word", "pa$$word"),
    ("password$", "password$"),
    ("ae$gis", "ae$gis"),
    ("$HOME", "$HOME"),
    ("${HOME}", "/home/me"),
    ("${NONE}", ""),
    ("${NONE:-x y}", "x y"),
    ("${EMPTY:-x}", ""),
    ("a${HOME}/b${HOME:-c}", "a/home/me/b/home/me"),
    ("${HOME", "${HOME"),
    ("${HOME:x}", "${HOME:x}"),
    ("${HOME:x}${HOME}", "${HOME:x}/home/me"),
    ("${a${HOME}", ""),
    ("${NONE:-${HOME}}", "${HOME}"),
    ("${}", ""),
    ("$(id)", "$(id)"),
    ("`id`", "`id`"),
    (r#"{"a":1}"#, r#"{"a":1}"#),
    (r#"{"a": "b c", "d": [1, 2]}"#, r#"{"a": "b c", "d": [1, 2]}"#),
    ("two words", "two words"),
    ("it's", "it's"),
    (r#"say "hi""#, r#"say "hi""#),
    (r"C:\dir\new", r"C:\dir\new"),
    (r"a\nb", r"a\nb"),
    (r"\$HOME", r"\$HOME"),
    (r"a\ b", r"a\ b"),
    ("a#b", "a#b"),
    ("a #b", "a"),
    ("a#b #c #d", "a#b"),
    ("#a", "#a"),
    (" #a", ""),
    ("  spaced\t ", "spaced"),
    ("=b=c", "=b=c"),
    ("a;b&c|d", "a;b&c|d"),
    ("%40", "%40"),
    ("é\u{a0}ü", "é\u{a0}ü"),
    ("postgres://u:p@h/d?x=1#f", "postgres://u:p@h/d?x=1#f"),
    ("'pa$word'", "pa$word"),
    // There it is "/home/me"; single quotes keep what they hold, as in a shell.
    ("'${HOME}'", "${HOME}"),
    (r"'it\'s'", "it's"),
    (r"'a\\b\nc'", r"a\b\nc"),
    ("'a#b' # c", "a#b"),
    ("'a'#c", "a"),
    (r#""pa$word""#, "pa$word"),
    (r#""${HOME}/x""#, "/home/me/x"),
    (r#""say \"hi\", it's""#, r#"say "hi", it's"#),
    (r#""a\nb\tc\\d\a""#, "a\nb\tc\\d\u{7}"),
    (r#""\d\$\u""#, r"\d\$\u"),
    (r#""a # b" # c"#, "a # b"),
    (r#""""#, ""),
    ("''", ""),
    ("", ""),
    ("\"two\r\nlines\"", "two\nlines"),
    ("'two\nlines'", "two\nlines"),
];

#[test]
fn values_are_read_as_python_dotenv_reads_them() {
    for (written, expected) in VALUES {
        for text in [format!("A={written}\n"), format!("\u{feff} export  A =  {}\r\nB=1", written.trim_start())] {
            // Behind a blank a # begins a comment.
            let expected = if text.starts_with("A=") || !written.starts_with('#') { expected } else { "" };
            assert_eq!(read_text(&text).get("A").map(String::as_str), Some(expected), "{text:?}");
        }
    }
}

#[test]
fn statements_are_read_as_python_dotenv_reads_them() {
    for (text, expected) in [
        ("A=1\nA=2\n", &[("A", "2")][..]),
        ("a-b=1\na.b=2\n1=x\nü=1\n", &[("a-b", "1"), ("a.b", "2"), ("1", "x"), ("ü", "1")]),
        ("'A B'=1\nexportA=2\nexport=3", &[("A B", "1"), ("exportA", "2"), ("export", "3")]),
        ("A=1\rB=2\r\nC=3", &[("A", "1"), ("B", "2"), ("C", "3")]),
        (" A=1\n\n\t# c\nB=2", &[("A", "1"), ("B", "2")]),
        ("A=1\nB=${A}\nC=\"${B}2\"\n", &[("A", "1"), ("B", "1"), ("C", "12")]),
        ("A=1\nA=2\nB=${A}\nA=3", &[("A", "3"), ("B", "2")]),
        ("HOME=x\nA=${HOME}\n", &[("HOME", "x"), ("A", "/home/me")]),
        ("A=x\\\nB=2", &[("A", "x\\"), ("B", "2")]),
        ("A=1\nexport A\nHOME\n", &[]),
        // What cannot be read costs its own line.
        ("A=\"x\ny=1\nB=2\n", &[("y", "1"), ("B", "2")]),
        ("A='x' y\n=1\nA B=1\nA: 1\nexport\n\"C\"=1\nB=2", &[("\"C\"", "1"), ("B", "2")]),
        ("A='x\ny' z\nB=2", &[("B", "2")]),
    ] {
        assert_eq!(read_text(text), variables(expected), "{text:?}");
    }
}

#[test]
fn ignored_lines_are_named_without_what_they_hold() {
    let ignored = |text: &str| -> Vec<String> {
        let content = parse(text, &environment()).unwrap();
        content.remarks().map(|(line, remark)| format!("{line} {remark}")).collect()
    };
    let no_statement = "this line is ignored, as it is not NAME=value; behind a closed quote only a # comment may stand";
    let no_value = "this line is ignored, as it has no \"=\"; put quotes around a value of several lines";
    assert_eq!(ignored("A=1\n\nTOKEN: s3cret\nB='x'\n'open\n=1"), [format!("3 {no_statement} (2 more like it)")]);
    assert_eq!(ignored("A='x\ny'\nKEY=s3\ncret\nabc\n"), [format!("4 {no_value} (1 more like it)")]);
    assert_eq!(ignored("A='x\ny' s3cret\nB"), [format!("1 {no_statement}"), format!("3 {no_value}")]);
    assert_eq!(ignored("HOME\nexport EMPTY\n"), [""; 0], "they are set elsewhere");
}

#[test]
fn what_no_program_could_be_given_is_refused_at_its_line() {
    let mistake = |text: &str| parse(text, &environment()).unwrap_err();
    assert_eq!(mistake("A=1\nB='x\ny\0'\n"), (2, Mistake::Nul));
    assert_eq!(mistake("A\0=1"), (1, Mistake::Nul));
    assert_eq!(mistake("\n'A=B'=1"), (2, Mistake::Name));
    let doubling: Vec<String> = (1..64).map(|n| format!("A{n}=${{A{0}}}${{A{0}}}\n", n - 1)).collect();
    assert_eq!(mistake(&format!("A0=xx\n{}", doubling.concat())), (20, Mistake::TooLong));
    let wide = format!("A={}\nB={}\n", "x".repeat(1024), "${A}".repeat(1024 * 1024));
    assert_eq!(mistake(&wide), (2, Mistake::TooLong));
}

/// Would take minutes if time grew with the square of the length.
#[test]
fn a_long_file_takes_time_in_proportion() {
    for piece in ["${", "${:", "${A:-", "A=\"\n", "A='\n", "A=\"\\\n", "'", "#", " #", "A= \t"] {
        let mut text = format!("A={}", piece.repeat(300 * 1024 / piece.len()));
        let _ = parse(&text, &environment());
        text.push_str(":}");
        let _ = parse(&text, &environment());
    }
}

/// Lines that mean something to a `.env` reader.
fn lines() -> impl Strategy<Value = String> {
    let pieces = [
        "A", "b-2", "=", " = ", "export ", "'", "\"", "\\", "\\n", "$A", "${A}", "${", ":-", "}", "#", " ", "\t", "é", "\u{1c}", "\n",
        "\r\n",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands before a line that is good, it is read, unless a quote before it is open.
    #[test]
    fn lines_before_do_not_stop_a_good_one(before in lines()) {
        let before = before.replace(['\'', '"'], "q");
        let read = read_text(&format!("{before}\nLAST=1\n"));
        prop_assert_eq!(read.get("LAST").map(String::as_str), Some("1"));
    }

    #[test]
    fn any_text_can_be_written_in_single_quotes(text in "[^\0\r]{0,30}") {
        let written = text.replace('\\', "\\\\").replace('\'', "\\'");
        prop_assert_eq!(read_text(&format!("A='{written}'")), variables(&[("A", text.as_str())]));
    }
}
