//! Finding the start of a read in a log, a bounded part at a time.

use std::io::{self, Seek, SeekFrom};

use super::cursor::Search;
use super::files::{CHUNK_BYTES, read_at};
use super::tail::Tail;
use crate::log::record::{is_since, moment};

/// Bytes searched at a time. In between, a server serves other connections.
const SEARCH_BYTES: u64 = 1 << 20;

/// The end of a file that was not examined yet.
const END: u64 = u64::MAX;

impl Tail {
    /// Moves to the start of a search.
    pub(super) fn begin(&mut self) {
        if let Some(Search::Back(_)) = self.search {
            (self.front, self.offset) = (self.files.len() - 1, END);
        }
    }

    /// Continues the search; `false` if it has to be called again.
    pub(super) fn search(&mut self) -> io::Result<bool> {
        let is_found = match self.search {
            None => return Ok(true),
            Some(Search::Back(lines)) => self.search_back(lines)?,
            Some(Search::Since(ms)) => self.search_since(ms)?,
        };
        if is_found {
            self.search = None;
            self.files.drain(..std::mem::take(&mut self.front));
            self.was_rotated = self.files.len() > 1;
        }
        Ok(is_found)
    }

    fn search_back(&mut self, mut missing: u64) -> io::Result<bool> {
        if missing == 0 {
            self.front = self.files.len() - 1;
            self.offset = self.files[self.front].seek(SeekFrom::End(0))?;
            return Ok(true);
        }
        let (mut chunk, mut searched) = (Vec::new(), 0);
        loop {
            let file = &mut self.files[self.front];
            let mut is_empty = false;
            if self.offset == END {
                let end = file.seek(SeekFrom::End(0))?;
                chunk.clear();
                read_at(file, end.saturating_sub(1), 1, &mut chunk)?;
                // The newline at the end of the last line starts no other line.
                self.offset = end.saturating_sub(u64::from(chunk == b"\n"));
                is_empty = end == 0;
            }
            while self.offset > 0 {
                if searched >= SEARCH_BYTES {
                    self.search = Some(Search::Back(missing));
                    return Ok(false);
                }
                let start = self.offset.saturating_sub(CHUNK_BYTES as u64);
                chunk.clear();
                read_at(file, start, self.offset - start, &mut chunk)?;
                searched += self.offset - start;
                for (at, _) in chunk.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
                    if missing == 1 {
                        self.offset = start + at as u64 + 1;
                        return Ok(true);
                    }
                    missing -= 1;
                }
                self.offset = start;
            }
            if !is_empty {
                // The start of a file is the start of a line.
                if missing == 1 {
                    return Ok(true);
                }
                missing -= 1;
            }
            if self.front == 0 {
                return Ok(true);
            }
            (self.front, self.offset) = (self.front - 1, END);
        }
    }

    fn search_since(&mut self, ms: i64) -> io::Result<bool> {
        let mut text = Vec::new();
        read_at(&mut self.files[self.front], self.offset, SEARCH_BYTES, &mut text)?;
        let is_end = (text.len() as u64) < SEARCH_BYTES;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            // A line longer than all that is searched at once is not a record.
            if !is_end && !line.ends_with(b"\n") && line.len() < text.len() {
                break;
            }
            if moment(line).is_some_and(|found| is_since(found, ms)) {
                return Ok(true);
            }
            self.offset += line.len() as u64;
        }
        let is_newest = self.front + 1 == self.files.len();
        if is_end && !is_newest {
            (self.front, self.offset) = (self.front + 1, 0);
        }
        Ok(is_end && is_newest)
    }
}
