//! Adds colors to text that is escaped already.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use bgpy::log::parts;

use super::view::level_style;

/// The start of a record: `0` stands for a digit.
const STAMP: &[u8] = b"0000-00-00T00:00:00";

/// Bytes in which a record's time and level end.
const HEAD_BYTES: usize = 36;

const KEY: Style = AnsiColor::Cyan.on_default();
const STRING: Style = AnsiColor::Green.on_default();
const NUMBER: Style = AnsiColor::Yellow.on_default();
const LITERAL: Style = AnsiColor::Magenta.on_default();

/// JSON with its keys, strings, numbers and literals in color.
pub(crate) fn json(text: &str) -> String {
    let mut painted = String::with_capacity(2 * text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, style) = match first {
            '"' => {
                let length = string_bytes(rest);
                let is_key = rest[length..].trim_start().starts_with(':');
                (length, if is_key { KEY } else { STRING })
            }
            '-' | '0'..='9' => {
                let is_other = |c: char| !c.is_ascii_digit() && !"+-.eE".contains(c);
                (rest.find(is_other).unwrap_or(rest.len()), NUMBER)
            }
            'a'..='z' | 'A'..='Z' => {
                let is_other = |c: char| !c.is_ascii_alphabetic();
                (rest.find(is_other).unwrap_or(rest.len()), LITERAL)
            }
            other => (other.len_utf8(), Style::new()),
        };
        let (token, after) = rest.split_at(length);
        let _ = write!(painted, "{style}{token}{style:#}");
        rest = after;
    }
    painted
}

/// Length of the string at the start of a text, with its quotes.
fn string_bytes(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A traceback: dim, and its last line, the exception, red.
pub(crate) fn traceback(text: &str) -> String {
    let (dim, red) = (Style::new().dimmed(), AnsiColor::Red.on_default());
    let mut lines: Vec<_> = text.trim_end().lines().collect();
    let last = lines.pop().unwrap_or_default();
    let mut painted: String = lines.iter().map(|line| format!("{dim}{line}{dim:#}\n")).collect();
    let _ = write!(painted, "{red}{last}{red:#}");
    painted
}

/// Colors times and levels of records in a log that arrives in pieces.
#[derive(Debug)]
pub(crate) struct RecordPainter {
    /// The line so far, as long as it may be a record; `None` in the rest of a line.
    start: Option<Vec<u8>>,
}

impl RecordPainter {
    pub(crate) fn new() -> Self {
        Self { start: Some(Vec::new()) }
    }

    /// The next piece; the start of a line that may be a record is held back.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut painted = Vec::with_capacity(bytes.len());
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let is_over = part.ends_with(b"\n");
            match self.start.take() {
                None => painted.extend(part),
                Some(mut start) => {
                    start.extend(part);
                    if !is_over && start.len() < HEAD_BYTES && may_be_record(&start) {
                        self.start = Some(start);
                        continue;
                    }
                    painted.extend(record(&start));
                }
            }
            self.start = is_over.then(Vec::new);
        }
        painted
    }

    /// What was held back.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.start.unwrap_or_default()
    }
}

fn may_be_record(start: &[u8]) -> bool {
    start.iter().zip(STAMP).all(|(byte, like)| match like {
        b'0' => byte.is_ascii_digit(),
        like => byte == like,
    })
}

/// A line, or its start, with its time and level in color if it is a record.
fn record(line: &[u8]) -> Vec<u8> {
    let text = line.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let Some(found) = parts(text) else { return line.to_owned() };
    let (dim, style) = (Style::new().dimmed(), level_style(found.level));
    let (stamp, level) = (found.stamp, found.level);
    let rest = &line[stamp.len() + 1 + level.as_str().len()..];
    [format!("{dim}{stamp}{dim:#} {style}{level}{style:#}").as_bytes(), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text without colors.
    fn plain(painted: &str) -> String {
        let mut text = String::new();
        let mut rest = painted;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            text += before;
            rest = after.split_once('m').unwrap().1;
        }
        text + rest
    }

    #[test]
    fn json_is_the_same_without_its_colors() {
        for text in [
            r#"{"a": [1, -2.5e+10, true, null, "x\"y"], "b\\": "é \u001b"}"#,
            "[]",
            "\"open",
            "12",
            "NaN",
            "{\"a\":{\"b\":1}}\n",
        ] {
            assert_eq!(plain(&json(text)), text);
        }
        assert_eq!(json(r#"{"a": 1}"#), "{\u{1b}[36m\"a\"\u{1b}[0m: \u{1b}[33m1\u{1b}[0m}");
        assert_eq!(json(r#""a: b""#), "\u{1b}[32m\"a: b\"\u{1b}[0m");
    }

    #[test]
    fn a_traceback_ends_in_red() {
        let text = traceback("Traceback:\n  File x\nValueError: no\n");
        assert_eq!(plain(&text), "Traceback:\n  File x\nValueError: no");
        assert!(text.ends_with("\u{1b}[31mValueError: no\u{1b}[0m"));
        assert_eq!(plain(&traceback("")), "");
    }

    const LINE: &str = "2026-01-31T12:30:01+01:00 WARNING a disk is full\n";
    const PAINTED: &str =
        "\u{1b}[2m2026-01-31T12:30:01+01:00\u{1b}[0m \u{1b}[33mWARNING\u{1b}[0m a disk is full\n";

    fn fed(pieces: &[&[u8]]) -> Vec<u8> {
        let mut painter = RecordPainter::new();
        let mut text: Vec<_> = pieces.iter().flat_map(|piece| painter.feed(piece)).collect();
        text.extend(painter.finish());
        text
    }

    #[test]
    fn records_are_found_wherever_a_log_is_cut() {
        let log = format!("printed\n{LINE}    continued\n{LINE}10%\r");
        let painted = format!("printed\n{PAINTED}    continued\n{PAINTED}10%\r");
        for cut in 0..log.len() {
            let (before, after) = log.as_bytes().split_at(cut);
            assert_eq!(fed(&[before, after]), painted.as_bytes(), "{cut}");
        }
    }

    #[test]
    fn only_what_may_be_a_record_is_held_back() {
        let mut painter = RecordPainter::new();
        assert_eq!(painter.feed(b"10%"), b"10%");
        assert_eq!(painter.feed(b"\r20%\n2026-01"), b"\r20%\n");
        assert_eq!(painter.feed(b"x"), b"2026-01x");
        assert_eq!(fed(&[b"\xff\n2026"]), b"\xff\n2026");
    }
}
