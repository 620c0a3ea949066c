//! Reads one character of a text in any of the forms in which addresses, JSON and HTML write it.

/// Which form is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// As it is.
    Plain,
    /// Encoded or escaped.
    Encoded,
}

/// How many bytes at the start of `text` stand for this character; `None` when it begins with another one.
pub(super) fn consumed(text: &str, wanted: char, first: Reading) -> Option<usize> {
    let plain = || text.starts_with(wanted).then(|| wanted.len_utf8());
    match first {
        Reading::Plain => plain().or_else(|| encoded(text, wanted)),
        Reading::Encoded => encoded(text, wanted).or_else(plain),
    }
}

fn encoded(text: &str, wanted: char) -> Option<usize> {
    match text.as_bytes().first()? {
        b'%' => percent(text.as_bytes(), wanted),
        b'+' if wanted == ' ' => Some(1),
        b'\\' => escaped(&text[1..], wanted).map(|length| length + 1),
        b'&' => entity(&text[1..], wanted).map(|length| length + 1),
        _ => None,
    }
}

/// `%C3%B6`, in either case.
fn percent(text: &[u8], wanted: char) -> Option<usize> {
    let mut buffer = [0; 4];
    let mut length = 0;
    for byte in wanted.encode_utf8(&mut buffer).bytes() {
        let digits = text.get(length..length + 3).filter(|part| part[0] == b'%')?;
        let digits = std::str::from_utf8(&digits[1..]).ok()?;
        if u8::from_str_radix(digits, 16) != Ok(byte) {
            return None;
        }
        length += 3;
    }
    Some(length)
}

/// What follows a backslash: `n`, `"`, `u00f6`, `ud83d\ude00`, `u{f6}`, `xf6`.
fn escaped(rest: &str, wanted: char) -> Option<usize> {
    let meant = match rest.chars().next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        '0' => '\0',
        'u' if rest.as_bytes().get(1) == Some(&b'{') => {
            let (digits, _) = rest[2..].split_once('}')?;
            return is_number(digits, 16, wanted).then_some(digits.len() + 3);
        }
        'u' => return utf16(rest, wanted),
        'x' => return is_number(rest.get(1..3)?, 16, wanted).then_some(3),
        c @ ('"' | '\\' | '/' | '\'' | '$' | ' ') => c,
        _ => return None,
    };
    (meant == wanted).then_some(1)
}

/// The `u` of JSON: four digits for each unit of UTF-16.
fn utf16(rest: &str, wanted: char) -> Option<usize> {
    let mut buffer = [0; 2];
    let mut length = 0;
    for (position, unit) in wanted.encode_utf16(&mut buffer).iter().enumerate() {
        let mark = if position == 0 { "u" } else { "\\u" };
        let digits = rest.get(length..)?.strip_prefix(mark)?.get(..4)?;
        if u16::from_str_radix(digits, 16) != Ok(*unit) {
            return None;
        }
        length += mark.len() + 4;
    }
    Some(length)
}

/// What follows an `&`: `amp;`, `#34;`, `#x22;`.
fn entity(rest: &str, wanted: char) -> Option<usize> {
    // None is longer; the text may be.
    let end = rest.bytes().take(12).position(|byte| byte == b';')?;
    let name = &rest[..end];
    let is_wanted = match name {
        "amp" => wanted == '&',
        "lt" => wanted == '<',
        "gt" => wanted == '>',
        "quot" => wanted == '"',
        "apos" => wanted == '\'',
        other => match other.strip_prefix("#x").or_else(|| other.strip_prefix("#X")) {
            Some(digits) => is_number(digits, 16, wanted),
            None => other.strip_prefix('#').is_some_and(|digits| is_number(digits, 10, wanted)),
        },
    };
    is_wanted.then_some(end + 1)
}

fn is_number(digits: &str, radix: u32, wanted: char) -> bool {
    u32::from_str_radix(digits, radix) == Ok(u32::from(wanted))
}
