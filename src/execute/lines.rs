//! Cuts a stream of bytes into lines, as a terminal would show them: what follows a carriage return takes the place of what stood before
//! it in the line, so that of a progress bar only its last state is left.

use crate::plan::text::nul::without_nul;

/// Longest line, in bytes as the child printed it; a longer one is cut into several.
pub const MAX_LINE: usize = 16 * 1024;

/// Cuts one stream into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The line that has not ended yet, from its last carriage return that something follows.
    held: Vec<u8>,
    /// Whether a carriage return stands after it.
    has_returned: bool,
    /// What a carriage return ended last: the state of a progress bar.
    state: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes of the stream, and calls `each` with every line that is now complete, without its line end.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(line) if self.held.is_empty() && line.len() <= MAX_LINE => {
                    each(last_segment(line));
                    self.has_returned = false;
                }
                Some(end_of_line) => {
                    self.hold(end_of_line, &mut each);
                    each(&self.held);
                    self.held.clear();
                    self.has_returned = false;
                    self.state.clear();
                }
                None => self.hold(piece, &mut each),
            }
        }
    }

    /// The latest state of a progress bar, once. Only a whole one is told, as a part of it may be a part of a secret.
    pub(super) fn new_state(&mut self) -> Option<Vec<u8>> {
        Some(std::mem::take(&mut self.state)).filter(|state| !state.is_empty())
    }

    /// Takes the end of the stream: an unfinished line counts as one.
    pub(super) fn finish(&mut self, each: impl FnOnce(&[u8])) {
        if !self.held.is_empty() {
            each(&self.held);
            self.held = Vec::new();
        }
    }

    /// Keeps the last 1 to `MAX_LINE` bytes of an unfinished line; what is before them goes to `each` in pieces.
    fn hold(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) {
        self.note_state(bytes);
        let shown = without_returns(bytes);
        let segment = last_segment(bytes);
        if !shown.is_empty() && (self.has_returned || segment.len() < shown.len()) {
            self.held.clear();
        }
        self.has_returned = shown.len() < bytes.len() || (self.has_returned && shown.is_empty());
        self.held.extend_from_slice(segment);
        let mut rest = self.held.as_slice();
        while rest.len() > MAX_LINE
            && let Some((piece, after)) = rest.split_at_checked(char_boundary(rest, MAX_LINE))
        {
            each(piece);
            rest = after;
        }
        let left = rest.len();
        self.held.drain(..self.held.len().saturating_sub(left));
    }
}

impl Lines {
    /// Notes what the last carriage return ends, among these bytes of an unfinished line and what is held of it.
    fn note_state(&mut self, bytes: &[u8]) {
        let Some(before) = bytes.iter().rposition(|byte| *byte == b'\r').and_then(|end| bytes.get(..end)) else { return };
        let is_begun_here = self.has_returned || without_returns(before).contains(&b'\r');
        let mut state = if is_begun_here { Vec::new() } else { self.held.clone() };
        state.extend_from_slice(last_segment(before));
        if !state.is_empty() && state.len() <= MAX_LINE {
            self.state = state;
        }
    }
}

/// Carriage returns at its end take nothing away yet: a newline may follow.
fn without_returns(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}

/// What stands after the last carriage return that something follows.
fn last_segment(line: &[u8]) -> &[u8] {
    without_returns(line).rsplit(|byte| *byte == b'\r').next().unwrap_or_default()
}

/// The largest index up to `limit` that does not cut a UTF-8 character in two; `limit` itself where the bytes are not UTF-8.
fn char_boundary(bytes: &[u8], limit: usize) -> usize {
    (limit.saturating_sub(3)..=limit).rev().find(|&at| at > 0 && bytes.get(at).is_some_and(|byte| byte & 0xC0 != 0x80)).unwrap_or(limit)
}

/// Bytes as text that every database can store: invalid UTF-8 and NUL become U+FFFD.
pub(super) fn text(bytes: &[u8]) -> String {
    without_nul(&String::from_utf8_lossy(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk, |line| seen.push(line.to_vec()));
        }
        lines.finish(|line| seen.push(line.to_vec()));
        seen
    }

    #[test]
    fn a_line_may_come_in_pieces() {
        assert_eq!(lines_of(&[b"on", b"e\ntwo\r\n", b"\nthr", b"ee"]), [&b"one"[..], b"two", b"", b"three"]);
    }

    #[test]
    fn of_a_progress_bar_the_last_state_is_the_line() {
        let expected = [&b"100%"[..], b"done", b"7/9"];
        let stream = b"\r  0%\r 50%\r100%\r\r\ndone\r\n1/9\r7/9\r";
        assert_eq!(lines_of(&[stream]), expected);
        assert_eq!(lines_of(&stream.chunks(1).collect::<Vec<_>>()), expected);
        let mut lines = Lines::default();
        (0..100_000).for_each(|n| lines.push(format!("{n:6} of 100000\r").as_bytes(), |line| panic!("{line:?}")));
        assert!(lines.held.len() <= 20, "what is written over is not kept");
    }

    #[test]
    fn the_state_of_a_progress_bar_is_told_when_it_is_whole() {
        let states = |chunks: &[&str]| {
            let mut lines = Lines::default();
            let state = |chunk: &&str| {
                lines.push(chunk.as_bytes(), |_| ());
                lines.new_state().map(|state| String::from_utf8(state).unwrap()).unwrap_or_default()
            };
            chunks.iter().map(state).collect::<Vec<_>>()
        };
        assert_eq!(states(&["\r 1%", " of 9", "\r 2%", "\r 3%\r 4%", "\n", "plain\n"]), ["", "", " 1% of 9", " 3%", "", ""]);
        assert_eq!(states(&["1/9\r", "2/9\r", "3/", "9\r", "\r"]), ["1/9", "2/9", "", "3/9", ""]);
        assert_eq!(states(&["text\r\n", "a\rb\n"]), ["", ""]);
    }

    #[test]
    fn a_line_that_is_just_long_enough_is_one_line() {
        let line = vec![b'x'; MAX_LINE];
        assert_eq!(lines_of(&[&line, b"\n"]), [line.as_slice()]);
        assert_eq!(lines_of(&[&[&line[..], b"\n"].concat()]), [line.as_slice()]);
    }

    #[test]
    fn a_longer_line_is_cut_between_characters() {
        let line = "é".repeat(MAX_LINE);
        let long = format!("x{line}\nnext\n");
        let seen = lines_of(&[long.as_bytes()]);
        assert!(seen.iter().all(|line| line.len() <= MAX_LINE && std::str::from_utf8(line).is_ok()));
        assert_eq!(seen.len(), 4);
        assert_eq!(seen.last().unwrap(), b"next");
    }

    #[test]
    fn text_has_no_nul_and_is_utf8() {
        assert_eq!(text(b"a\0b\xffc"), "a\u{FFFD}b\u{FFFD}c");
    }

    proptest! {
        #[test]
        fn the_lines_are_the_same_whatever_the_chunks(
            stream in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400),
            step in 1_usize..50,
        ) {
            let mut expected: Vec<Vec<u8>> = stream.split(|byte| *byte == b'\n').map(|line| last_segment(line).to_vec()).collect();
            expected.pop_if(|last| last.is_empty());
            prop_assert_eq!(&lines_of(&[&stream]), &expected);
            prop_assert_eq!(&lines_of(&stream.chunks(step).collect::<Vec<_>>()), &expected);
        }
    }
}
