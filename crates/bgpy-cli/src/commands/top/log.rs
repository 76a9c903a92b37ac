//! The end of a log, as lines for the screen.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::str::Chars;

use bgpy::escape;
use bgpy::log::read::{Begin, Tail};

/// Lines that are kept; no screen has more.
const LINES: usize = 200;

/// Maximum number of reads per refresh, so that a flood of lines does not delay keys.
const READS: usize = 16;

/// Longest line that is kept, in bytes.
const LINE_BYTES: usize = 4096;

/// Replaces a tab.
const TAB: &str = "    ";

/// A log that is followed.
#[derive(Debug, Default)]
pub(super) struct LogView {
    path: Option<PathBuf>,
    tail: Option<Tail>,
    lines: Lines,
    problem: Option<String>,
}

/// The last lines of a text that grows.
#[derive(Debug, Default)]
struct Lines {
    ended: VecDeque<String>,
    /// The unfinished line.
    last: Vec<u8>,
}

impl LogView {
    /// Switches to the log of another server, or of none.
    pub(super) fn switch(&mut self, path: Option<&Path>) {
        if self.path.as_deref() != path {
            *self = Self { path: path.map(Path::to_owned), ..Self::default() };
        }
    }

    /// Reads new lines, and returns whether the display has changed.
    pub(super) fn follow(&mut self) -> bool {
        let before = self.problem.take();
        match self.read() {
            Ok(text) => {
                self.lines.add(&text);
                before.is_some() || !text.is_empty()
            }
            // The next refresh opens it again.
            Err(error) => {
                self.problem = Some(error.to_string());
                before != self.problem
            }
        }
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        let Some(path) = &self.path else { return Ok(text) };
        let mut tail = match self.tail.take() {
            Some(tail) => tail,
            None => {
                self.lines = Lines::default();
                Tail::open(path, Begin::LastLines(LINES))?
            }
        };
        for _ in 0..READS {
            if !tail.read(&mut text)? {
                break;
            }
        }
        self.tail = Some(tail);
        Ok(text)
    }

    /// At most `count` last lines, oldest first; or the reason why there are none.
    pub(super) fn last(&self, count: usize) -> Vec<String> {
        match (&self.path, &self.problem) {
            (None, _) => vec!["it has no log file: it logs where it was started".to_owned()],
            (Some(path), Some(problem)) => {
                vec![format!("'{}' cannot be read: {problem}", path.display())]
            }
            _ => self.lines.last(count),
        }
    }
}

impl Lines {
    fn add(&mut self, text: &[u8]) {
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES.saturating_sub(self.last.len());
            match part.strip_suffix(b"\n") {
                Some(end) => {
                    self.last.extend(&end[..end.len().min(room)]);
                    self.ended.push_back(shown(&self.last));
                    self.last.clear();
                }
                // A carriage return, as of a progress bar, starts the line again.
                None if part.contains(&b'\r') => {
                    self.last = part[part.len() - part.len().min(LINE_BYTES)..].to_vec()
                }
                None => self.last.extend(&part[..part.len().min(room)]),
            }
        }
        let excess = self.ended.len().saturating_sub(LINES);
        self.ended.drain(..excess);
    }

    fn last(&self, count: usize) -> Vec<String> {
        let last = (!self.last.is_empty()).then(|| shown(&self.last));
        let all = self.ended.len() + usize::from(last.is_some());
        self.ended.iter().cloned().chain(last).skip(all.saturating_sub(count)).collect()
    }
}

/// A line as a terminal would show it in the end, without cursor movements and colors.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    // After carriage returns, only the last text is visible.
    let text = text.rsplit('\r').next().unwrap_or_default();
    let mut shown = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\t' => shown.push_str(TAB),
            '\u{1b}' => skip_sequence(&mut rest),
            _ if character.is_control() => {}
            _ => shown.push(character),
        }
    }
    escape::line(&shown).into_owned()
}

/// Skips the rest of an escape sequence, as in `ESC [ 31 m`.
fn skip_sequence(rest: &mut Chars<'_>) {
    match rest.next() {
        Some('[') => drop(rest.find(|character| ('@'..='~').contains(character))),
        // A title or a link, up to a bell or ESC \.
        Some(']') => {
            let is_end = |character: &char| matches!(character, '\u{7}' | '\u{1b}');
            if rest.find(is_end) == Some('\u{1b}') {
                rest.next();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lines_are_those_that_a_terminal_would_show() {
        for (line, text) in [
            (&b"plain"[..], "plain"),
            (b"dos\r", "dos"),
            (b"10%\r20%\r30%", "30%"),
            (b"\x1b[1;31mred\x1b[0m\tx", "red    x"),
            (b"\x1b]0;title\x07a\x1b]8;;link\x1b\\b", "ab"),
            (b"\xff\x1b", "\u{fffd}"),
            ("a\u{202e}b".as_bytes(), "a\\u202eb"),
            (b"\x1b[", ""),
        ] {
            assert_eq!(shown(line), text, "{line:?}");
        }
    }

    #[test]
    fn lines_may_come_in_pieces() {
        let mut lines = Lines::default();
        for text in ["a\nb", "b\n", "10%", "\r20%"] {
            lines.add(text.as_bytes());
        }
        assert_eq!(lines.last(9), ["a", "bb", "20%"]);
        assert_eq!(lines.last(1), ["20%"]);
        lines.add(b"\n");
        lines.add("x\n".repeat(LINES).as_bytes());
        assert_eq!(lines.last(2 * LINES).len(), LINES);
    }

    #[test]
    fn endless_lines_take_no_memory() {
        let mut lines = Lines::default();
        for _ in 0..9 {
            lines.add(&[b'x'; LINE_BYTES]);
        }
        assert_eq!(lines.last.len(), LINE_BYTES);
    }

    #[test]
    fn a_log_is_followed_from_when_it_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let mut log = LogView::default();
        assert!(log.last(1)[0].contains("no log file"));
        log.switch(Some(&path));
        assert!(log.follow());
        assert!(log.last(1)[0].contains("a.log' cannot be read"));
        assert!(!log.follow());
        fs::write(&path, "1\n2\n").unwrap();
        assert!(log.follow());
        assert_eq!(log.last(2), ["1", "2"]);
        assert!(!log.follow());
        fs::write(&path, "1\n2\n3\n").unwrap();
        assert!(log.follow());
        assert_eq!(log.last(1), ["3"]);
        log.switch(None);
        assert!(!log.follow());
    }
}
