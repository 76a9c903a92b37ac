//! The excerpt kept of a log when its oldest file is deleted: how the server began, and its last
//! error.
//!
//! It is extracted from the files themselves, since other processes write to them as well: the
//! supervisor, and earlier processes of the server.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::level::Level;
use super::record::{CONTINUED, Parts, parts};

/// Part of a server's first record, between its version and its address.
pub(crate) const LISTENS: &str = " listens on ";

/// Start of the record with which a server has tasks, and accepts calls; its address follows. It is
/// the last one of the beginning.
pub(crate) const READY: &str = "ready at ";

/// The line that ends the excerpt.
pub(super) const ROTATED_AWAY: &str = "lines above: kept from deleted log files";

/// Bytes of a line that are examined. Longer lines are truncated.
const LINE_BYTES_MAX: usize = 16 << 10;

/// Most bytes kept of the beginning, and of the error. Both fit into the first piece of a log that
/// a client gets.
const PART_BYTES_MAX: usize = 24 << 10;

/// Most records of the beginning: while the server waits for its tasks, unauthenticated connections
/// may add some.
const BEGINNING_RECORDS_MAX: usize = 16;

/// The excerpt so far.
#[derive(Default)]
pub(super) struct Excerpt {
    beginning: Vec<u8>,
    /// Number of its records; none are added once it is complete.
    records: usize,
    is_complete: bool,
    error: Vec<u8>,
    /// Whether the error precedes the beginning.
    is_error_older: bool,
    /// What the previous line belongs to.
    part: Part,
    /// Time of the last record, as in the log.
    stamp: String,
}

#[derive(Default, Clone, Copy)]
enum Part {
    #[default]
    Neither,
    Beginning,
    Error,
}

impl Excerpt {
    /// Extracts from `text`, which follows everything examined before.
    pub(super) fn look(&mut self, text: impl Read) -> io::Result<()> {
        let (mut text, mut line) = (BufReader::with_capacity(LINE_BYTES_MAX, text), Vec::new());
        loop {
            line.clear();
            if (&mut text).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)? == 0 {
                self.part = Part::Neither;
                return Ok(());
            }
            if !line.ends_with(b"\n") {
                line.push(b'\n');
                text.skip_until(b'\n')?;
            }
            self.add(&line);
        }
    }

    /// Like [`look`](Self::look), for a file that may not exist.
    pub(super) fn look_in(&mut self, path: &Path) {
        // An unreadable file adds nothing.
        drop(File::open(path).and_then(|file| self.look(file)));
    }

    fn add(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let Some(head) = parts(&text) else {
            if !line.starts_with(CONTINUED.as_bytes()) {
                self.part = Part::Neither;
            }
            return self.keep(line);
        };
        head.stamp.clone_into(&mut self.stamp);
        self.part = Part::Neither;
        if head.text == ROTATED_AWAY {
            self.is_complete = true;
        } else if head.level >= Level::Error {
            self.error.clear();
            (self.part, self.is_error_older) = (Part::Error, self.records == 0);
        } else if begins(&head) {
            self.beginning.clear();
            (self.records, self.is_complete) = (1, false);
            (self.part, self.is_error_older) = (Part::Beginning, true);
        } else if self.records > 0 && !self.is_complete && head.level >= Level::Info {
            self.records += 1;
            self.part = Part::Beginning;
            self.is_complete =
                self.records == BEGINNING_RECORDS_MAX || head.text.starts_with(READY);
        }
        self.keep(line);
    }

    /// Keeps a line, if there is room for it.
    fn keep(&mut self, line: &[u8]) {
        let part = match self.part {
            Part::Neither => return,
            Part::Beginning => &mut self.beginning,
            Part::Error => &mut self.error,
        };
        if part.len() + line.len() <= PART_BYTES_MAX {
            part.extend_from_slice(line);
        }
    }

    /// The excerpt as lines of a log; empty if there is nothing to keep.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut parts = [&self.beginning[..], &self.error];
        if self.is_error_older {
            parts.reverse();
        }
        let mut text = parts.concat();
        if !text.is_empty() {
            // With the time of the last record in the excerpt, because a search by time goes by it.
            let level = Level::Info;
            let stamp = &self.stamp;
            text.extend_from_slice(format!("{stamp} {level:<5} {ROTATED_AWAY}\n").as_bytes());
        }
        text
    }
}

/// Whether a record is a server's first one.
fn begins(head: &Parts<'_>) -> bool {
    let version = head.text.strip_prefix("bgpy ");
    version.is_some_and(|rest| rest.find(' ').is_some_and(|at| rest[at..].starts_with(LISTENS)))
}

#[cfg(test)]
mod tests {
    use super::super::record::record;
    use super::*;

    fn remains(files: &[&str]) -> String {
        let mut remains = Excerpt::default();
        files.iter().for_each(|file| remains.look(file.as_bytes()).unwrap());
        String::from_utf8(remains.text()).unwrap()
    }

    fn note(before: &str) -> String {
        let (stamp, _) = before.split_once(' ').unwrap();
        format!("{stamp} INFO  {ROTATED_AWAY}\n")
    }

    #[test]
    fn the_beginning_and_the_last_error_are_kept_over_any_number_of_files() {
        let listens = record(Level::Info, "bgpy 1.0.0 listens on 127.0.0.1:1");
        let ready = record(Level::Info, format_args!("{READY}127.0.0.1:1 (process 1)"));
        let [first, last] = ["first", "last"].map(|text| {
            record(Level::Error, format_args!("exec_task failed: {text}\nTraceback\n  x"))
        });
        let (other, debug) = (record(Level::Info, "other"), record(Level::Debug, "a client"));
        let prints = "printed\n    with spaces\n".repeat(1000);
        let beginning = format!("{listens}{other}{ready}");
        let file = format!("{listens}{debug}{prints}{other}{ready}{other}{first}{prints}");
        let kept = remains(&[&file]);
        assert_eq!(kept, format!("{beginning}{first}{}", note(&first)));
        // The excerpt is the oldest file of the next rotation.
        assert_eq!(remains(&[&kept, &prints]), kept);
        let kept = remains(&[&kept, &format!("{other}{last}{other}")]);
        assert_eq!(kept, format!("{beginning}{last}{}", note(&other)));
        // Another server has the log now, and failed at once.
        let again = record(Level::Warning, "bgpy 1.0.1 listens on [::1]:2");
        let kept = remains(&[&kept, &again]);
        assert_eq!(kept, format!("{last}{again}{}", note(&again)));
        assert_eq!(remains(&[&kept, &other]), format!("{last}{again}{}", note(&other)));
    }

    #[test]
    fn nothing_is_kept_of_what_tells_nothing() {
        assert_eq!(remains(&["", "printed\n", &record(Level::Warning, "a peer")]), "");
        assert_eq!(remains(&["2026-01-01T00:00:00+00:00", "\u{ff}\n\n    x"]), "");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let listens = record(Level::Info, "bgpy 1.0.0 listens on 127.0.0.1:1");
        let waits = record(Level::Warning, "a peer").repeat(1_000);
        let long = "x".repeat(3 * LINE_BYTES_MAX);
        let error = record(Level::Error, format!("{long}\n{}", "line\n".repeat(100_000)));
        let kept = remains(&[&format!("{listens}{waits}{error}")]);
        assert!(kept.len() < 2 * PART_BYTES_MAX, "{}", kept.len());
        assert_eq!(kept.lines().filter(|line| line.contains("a peer")).count(), 15);
        assert!(kept.contains("xxx\n    line\n") && kept.ends_with(&note(&error)));
    }
}
