//! The end of a log, for a person.

use std::io;
use std::path::Path;

use super::tail::{Begin, Tail};
use crate::log::record::parts;

/// Lines shown of the end of a log, unless they begin within a record or a traceback.
const LINES: usize = 10;

/// Most lines shown of it.
const LINES_MAX: usize = 40;

/// The last lines of a log, as text.
///
/// # Errors
/// As for [`Tail::open`].
pub fn last_lines(path: &Path, lines: usize) -> io::Result<String> {
    let mut tail = Tail::open(path, Begin::LastLines(lines))?;
    let mut text = Vec::new();
    while tail.read(&mut text)? {}
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What a log says last: its last lines, from the start of what they belong to. What the interpreter
/// writes as it crashes tells in its first line what happened, and a stack of any depth follows.
///
/// # Errors
/// As for [`Tail::open`].
pub fn last_words(path: &Path) -> io::Result<String> {
    let text = last_lines(path, LINES_MAX)?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let last = lines.len().saturating_sub(LINES);
    let record = lines.iter().take(last + 1).rposition(|line| parts(line).is_some());
    Ok(lines[record.unwrap_or(last)..].concat())
}

#[cfg(test)]
mod tests {
    use super::super::files::CHUNK_BYTES;
    use super::super::tail::tests::log;
    use super::*;

    #[test]
    fn last_lines_reach_back_over_rotations() {
        let (_directory, path) = log(&["1\n2\n", "3\n4\n5\n", "6\n7"]);
        for (lines, text) in [
            (0, ""),
            (1, "7"),
            (2, "6\n7"),
            (3, "5\n6\n7"),
            (5, "3\n4\n5\n6\n7"),
            (6, "2\n3\n4\n5\n6\n7"),
            (7, "1\n2\n3\n4\n5\n6\n7"),
            (99, "1\n2\n3\n4\n5\n6\n7"),
        ] {
            assert_eq!(last_lines(&path, lines).unwrap(), text, "{lines}");
        }
        let (_directory, path) = log(&["1\n2\n", ""]);
        assert_eq!(last_lines(&path, 1).unwrap(), "2\n");
        let (_directory, path) = log(&[""]);
        assert_eq!(last_lines(&path, 3).unwrap(), "");
        assert!(last_lines(&path.with_extension("none"), 3).is_err());
    }

    #[test]
    fn long_lines_are_found_whole() {
        let line = "x".repeat(3 * CHUNK_BYTES);
        let (_directory, path) = log(&[&format!("{line}1\n{line}2\n")]);
        assert_eq!(last_lines(&path, 1).unwrap(), format!("{line}2\n"));
    }

    #[test]
    fn last_words_begin_where_a_traceback_does() {
        let record = |text| format!("2026-01-01T00:00:00+00:00 INFO  {text}\n");
        let crash = "Fatal Python error\n".to_owned() + &"  File\n".repeat(20);
        let end = record("crashed");
        let words = |text: &str| last_words(&log(&[text]).1).unwrap();
        let long = record("a") + &record("ready") + &crash + &end;
        assert_eq!(words(&long), record("ready") + &crash + &end);
        // Of records, the last ten; of output, as well, if its record is out of reach.
        assert_eq!(words(&record("b").repeat(30)), record("b").repeat(10));
        assert_eq!(words(&"c\n".repeat(200)), "c\n".repeat(10));
        assert_eq!((words(""), words("d")), (String::new(), "d".to_owned()));
    }
}
