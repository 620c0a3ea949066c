//! The last lines that an attempt printed, which are stored with it in the database.

use std::collections::VecDeque;

use super::lines::text;

/// Most bytes in [`super::Ended::tail`].
pub const TAIL_BYTES: usize = 8 * 1024;
/// Most lines in [`super::Ended::tail`].
pub const TAIL_LINES: usize = 40;

#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<Vec<u8>>,
    /// Of all lines, without line ends.
    bytes: usize,
}

impl Tail {
    /// Adds a line. Of a line longer than the whole tail, the end is kept.
    pub(super) fn push(&mut self, line: &[u8]) {
        let line = line.get(line.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        // The memory of a line that leaves is used again.
        let mut slot = Vec::new();
        while self.lines.len() >= TAIL_LINES || (self.bytes + line.len() > TAIL_BYTES && !self.lines.is_empty()) {
            slot = self.lines.pop_front().unwrap_or_default();
            self.bytes -= slot.len();
        }
        slot.clear();
        slot.extend_from_slice(line);
        self.bytes += line.len();
        self.lines.push_back(slot);
    }

    /// The lines as text, followed by our own `notes`. Both limits hold for the whole.
    pub(super) fn into_text(mut self, notes: &[String]) -> String {
        for note in notes {
            self.push(note.as_bytes());
        }
        let lines: Vec<String> = self.lines.iter().map(|line| text(line)).collect();
        let mut text = lines.join("\n");
        if text.len() > TAIL_BYTES {
            let surplus = text.len() - TAIL_BYTES;
            let from = (surplus..surplus + 4).find(|at| text.is_char_boundary(*at)).unwrap_or(surplus);
            text.drain(..from);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_stay() {
        let mut tail = Tail::default();
        (0..1000).for_each(|n| tail.push(format!("line {n}").as_bytes()));
        let text = tail.into_text(&[]);
        assert_eq!(text.lines().count(), TAIL_LINES);
        assert!(text.starts_with("line 960\n") && text.ends_with("line 999"), "{text}");
    }

    #[test]
    fn the_end_of_a_long_line_stays() {
        let mut tail = Tail::default();
        tail.push(&[vec![b'x'; 3 * TAIL_BYTES], b"the end".to_vec()].concat());
        let text = tail.into_text(&[]);
        assert_eq!(text.len(), TAIL_BYTES);
        assert!(text.ends_with("xthe end"));
    }

    #[test]
    fn replaced_bytes_count() {
        let mut tail = Tail::default();
        (0..TAIL_LINES).for_each(|_| tail.push(&[0xff; 200]));
        assert!(tail.into_text(&[]).len() <= TAIL_BYTES);
    }

    #[test]
    fn notes_come_last_and_are_never_pushed_out() {
        let mut tail = Tail::default();
        (0..TAIL_LINES).for_each(|_| tail.push(&[b'x'; 500]));
        let text = tail.into_text(&["first note".into(), "second note".into()]);
        assert!(text.ends_with("x\nfirst note\nsecond note") && text.len() <= TAIL_BYTES, "{text}");
    }
}
