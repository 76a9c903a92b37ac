//! What tasks print, without the server's own records.

use crate::log::record::{CONTINUED, STAMP_BYTES, moment};

/// A timestamp, as a pattern: a digit stands for any, the sign for either.
const STAMP: &[u8; STAMP_BYTES] = b"0000-00-00T00:00:00+00:00";

/// Leaves out the records of a log that is read piece by piece.
#[derive(Debug, Default)]
pub struct Prints {
    /// The beginning of a line that may yet become one of a record.
    held: Vec<u8>,
    /// In the middle of a line: whether it is left out.
    line: Option<bool>,
    /// Whether the last line was one of a record.
    is_after_record: bool,
}

impl Prints {
    /// The prints in the next piece of a log.
    pub fn next(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.held);
        if piece.is_empty() {
            // A record is written at once: what has not grown is none.
            if !text.is_empty() {
                self.line = Some(false);
            }
            return text;
        }
        text.extend_from_slice(piece);
        let mut prints = Vec::with_capacity(text.len());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let is_whole = line.ends_with(b"\n");
            let is_left_out = match self.line {
                Some(is_left_out) => is_left_out,
                None if !is_whole && self.may_become_record(line) => {
                    self.held = line.to_vec();
                    break;
                }
                None => self.is_of_record(line),
            };
            if !is_left_out {
                prints.extend_from_slice(line);
            }
            self.line = (!is_whole).then_some(is_left_out);
        }
        prints
    }

    fn is_of_record(&mut self, line: &[u8]) -> bool {
        let is_continued = self.is_after_record && line.starts_with(CONTINUED.as_bytes());
        self.is_after_record = is_continued || moment(line).is_some();
        self.is_after_record
    }

    fn may_become_record(&self, begin: &[u8]) -> bool {
        let fits = |(byte, pattern): (&u8, &u8)| match pattern {
            b'0' => byte.is_ascii_digit(),
            b'+' => matches!(byte, b'+' | b'-'),
            _ => byte == pattern,
        };
        let is_stamp = begin.len() <= STAMP_BYTES && begin.iter().zip(STAMP).all(fits);
        is_stamp || (self.is_after_record && CONTINUED.as_bytes().starts_with(begin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Level;
    use crate::log::record::record;

    fn prints(log: &[u8], size: usize) -> String {
        let mut prints = Prints::default();
        let pieces = log.chunks(size).chain([&b""[..]]);
        let shown = pieces.flat_map(|piece| prints.next(piece)).collect();
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn records_are_left_out_wherever_the_log_is_cut() {
        let error = record(Level::Error, "Exec failed: ValueError\nTraceback:\n  line\nValueError");
        let log = [
            "    indented\n",
            &error,
            "2026-01-31 is no record\n",
            &record(Level::Info, "ready"),
            "one\n    indented\n12:30\n\n",
            &error,
            "  two blanks\n2026-01-",
        ]
        .concat();
        for size in 1..=log.len() {
            let shown = prints(log.as_bytes(), size);
            let want = "    indented\n2026-01-31 is no record\none\n    indented\n12:30\n\n  two blanks\n2026-01-";
            assert_eq!(shown, want, "{size}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_a_record_is_not_held_back() {
        let mut all = Prints::default();
        for piece in [&b"\r 5%"[..], b"\r10%", b" done\n", b"12%", b" 2026-01-31T12:00\n", b"  x"] {
            assert_eq!(all.next(piece), piece);
        }
        assert_eq!(Prints::default().next(b"2026"), b"");
    }
}
