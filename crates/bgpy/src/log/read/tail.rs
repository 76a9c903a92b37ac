//! Reading a log that is being written, and rotated, by other processes.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bgpy_proto::{LogPiece, LogRequest};

use super::cursor::{Cursor, Position, Search};
use super::files::{CHUNK_BYTES, generations, read_at, written_after};
use crate::log::excerpt::ROTATED_AWAY;
use crate::platform;

/// Where to start in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At the oldest record.
    Start,
    /// This many lines before the end.
    LastLines(usize),
    /// At the first record at or after this time, in milliseconds since 1970 UTC.
    Since(i64),
}

/// A log from some position on, across rotations.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    /// The files to read, oldest first, as of the last check. During a search, older ones as well.
    pub(super) files: VecDeque<File>,
    /// The offset in the first of them.
    pub(super) front: usize,
    pub(super) offset: u64,
    /// Whether that file was found to be rotated by an earlier check. Writes that started before
    /// their writer noticed the rotation have arrived by now.
    pub(super) was_rotated: bool,
    /// The search to finish before reading.
    pub(super) search: Option<Search>,
}

impl Begin {
    /// The request to a server for a log from this start on.
    pub fn request(self) -> LogRequest {
        match self {
            Self::Start => LogRequest::Start,
            Self::LastLines(lines) => LogRequest::LastLines(lines as u64),
            Self::Since(ms) => LogRequest::Since(ms),
        }
    }
}

impl Tail {
    /// Opens a log.
    ///
    /// # Errors
    /// The system's error if the file does not exist or cannot be read.
    pub fn open(path: &Path, begin: Begin) -> io::Result<Self> {
        let mut tail = Self::resume(path, Cursor::of(&begin.request()))?;
        while !tail.search()? {}
        Ok(tail)
    }

    /// Opens a log at a cursor, or at its oldest record if that position is gone.
    fn resume(path: &Path, cursor: Cursor) -> io::Result<Self> {
        let Cursor { place, search } = cursor;
        let mut files = generations(path, true)?;
        let front = place.and_then(|place| files.iter().position(|file| place.is_in(file)));
        if place.is_some() && front.is_none() {
            files = generations(path, false)?;
        }
        let was_rotated = files.len() > 1;
        let path = path.to_owned();
        let mut tail = Self { path, files, front: 0, offset: 0, was_rotated, search };
        let Some(place) = place else {
            tail.begin();
            return Ok(tail);
        };
        match front {
            Some(front) => {
                (tail.front, tail.offset) = (front, place.offset);
                tail.was_rotated = place.was_rotated;
            }
            // Everything before the position is gone as well.
            None if matches!(search, Some(Search::Back(_))) => tail.search = None,
            None => {}
        }
        if tail.search.is_none() {
            tail.files.drain(..std::mem::take(&mut tail.front));
        }
        Ok(tail)
    }

    fn cursor(&self) -> Cursor {
        let file = platform::identity(&self.files[self.front]);
        let place = Position { file, offset: self.offset, was_rotated: self.was_rotated };
        Cursor { place: Some(place), search: self.search }
    }

    /// Appends what is there now; `false` if there was nothing. To follow the log, call it
    /// periodically.
    ///
    /// # Errors
    /// The system's error.
    pub fn read(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        Ok(self.read_some(text, CHUNK_BYTES)? > 0)
    }

    /// Appends up to `limit` bytes of what is there now, and returns their number.
    fn read_some(&mut self, text: &mut Vec<u8>, limit: usize) -> io::Result<usize> {
        let mut count = 0;
        while count < limit {
            let file = self.files.front_mut().expect("one is always read");
            let came = read_at(file, self.offset, (limit - count) as u64, text)?;
            if came > 0 {
                self.offset += came as u64;
                count += came;
                continue;
            }
            if self.files.len() == 1 && platform::is_file_at(&self.files[0], &self.path) {
                break;
            }
            if !self.was_rotated {
                // A caller that got data calls again at once, which would give the writer no time.
                self.was_rotated = count == 0;
                break;
            }
            if self.files.len() == 1 && !self.find_next()? {
                break;
            }
            self.files.pop_front();
            (self.offset, self.was_rotated) = (0, self.files.len() > 1);
        }
        Ok(count)
    }

    /// Finds the files after the current one, which was rotated; `false` while the rotation is
    /// under way.
    fn find_next(&mut self) -> io::Result<bool> {
        let mut files = match generations(&self.path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            files => files?,
        };
        let read = platform::identity(&self.files[0]);
        match files.iter().position(|file| platform::identity(file) == read) {
            Some(at) => drop(files.drain(..=at)),
            // It was removed, or deleted by rotation before it was read to its end; that part is
            // lost. Files modified earlier were read before it.
            None => {
                let newest = files.pop_back();
                files.retain(|file| written_after(file, &self.files[0]));
                files.extend(newest);
            }
        }
        self.files.append(&mut files);
        Ok(self.files.len() > 1)
    }
}

/// The piece of a log that a request asks for, up to `limit` bytes. Reads a bounded part of the
/// log, and keeps no state between requests but the cursor.
///
/// # Errors
/// As for [`Tail::open`].
pub fn piece(path: &Path, request: &LogRequest, limit: usize) -> io::Result<LogPiece> {
    let mut tail = Tail::resume(path, Cursor::of(request))?;
    let mut text = Vec::new();
    let more = !tail.search()? || tail.read_some(&mut text, limit)? == limit;
    Ok(LogPiece { text, after: tail.cursor().encode(), more })
}

/// A reply that makes the client repeat its request.
pub(crate) fn put_off(request: &LogRequest) -> LogPiece {
    LogPiece { text: Vec::new(), after: Cursor::of(request).encode(), more: true }
}

/// The excerpt of deleted files at the start of a log's text: how the server began, and its last
/// error.
pub fn remains(text: &[u8]) -> &[u8] {
    let mut end = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        if line.trim_ascii_end().ends_with(ROTATED_AWAY.as_bytes()) {
            return &text[..end];
        }
    }
    &[]
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::io::Write;

    use super::super::last::last_lines;
    use super::*;
    use crate::log::{Level, Log, aged, parts};

    pub(in super::super) fn log(texts: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        for (age, text) in texts.iter().rev().enumerate() {
            let path = if age == 0 { path.clone() } else { aged(&path, age as u32) };
            fs::write(path, text).unwrap();
        }
        (directory, path)
    }

    #[test]
    fn nothing_is_read_again_when_the_log_is_removed() {
        let (_directory, path) = log(&["1\n"]);
        fs::rename(&path, aged(&path, 1)).unwrap();
        fs::write(&path, "2\n").unwrap();
        let mut tail = Tail::open(&path, Begin::Start).unwrap();
        let mut text = Vec::new();
        while tail.read(&mut text).unwrap() {}
        fs::remove_file(&path).unwrap();
        fs::write(&path, "3\n").unwrap();
        // It waits once for writes that may be under way.
        for _ in 0..4 {
            tail.read(&mut text).unwrap();
        }
        assert_eq!(String::from_utf8(text).unwrap(), "1\n2\n3\n");
    }

    #[test]
    fn records_since_a_moment() {
        let text = "2026-01-01T00:00:00+00:00 INFO  a\nb\n\
                    2026-01-01T01:00:00+01:00 INFO  c\n\
                    2026-01-01T00:00:01+00:00 INFO  d\n";
        let (_directory, path) = log(&[text]);
        let read = |ms| {
            let mut text = Vec::new();
            Tail::open(&path, Begin::Since(ms)).unwrap().read(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        let start = 1_767_225_600_000;
        // A record tells the second: one of the second that is asked for counts.
        assert_eq!((read(start), read(start + 999)), (text.to_owned(), text.to_owned()));
        assert!(read(start + 1000).ends_with(" d\n") && !read(start + 1000).contains(" c\n"));
        assert_eq!(read(start + 2000), "");
    }

    #[test]
    fn a_follower_gets_every_record_once_and_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let log = Log::file(Level::Info, &path).unwrap();
        let mut tail = Tail::open(&path, Begin::Start).unwrap();
        let (mut text, mut written) = (Vec::new(), 0);
        for round in 0..40 {
            // Up to three rotations between two reads.
            for _ in 0..round % 4 * 5 {
                log.info(format_args!("{written:06} {}", "x".repeat(3 << 20)));
                written += 1;
            }
            while tail.read(&mut text).unwrap() {}
            while tail.read(&mut text).unwrap() {}
            let numbers: Vec<usize> = text
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| {
                    let text = String::from_utf8_lossy(line);
                    parts(&text).expect("it is a record").text[..6].parse().unwrap()
                })
                .collect();
            assert!(numbers.is_sorted() && numbers.windows(2).all(|two| two[1] == two[0] + 1));
            assert_eq!(numbers.last().map_or(written, |last| last + 1), written);
            text.clear();
        }
    }

    #[test]
    fn what_is_written_to_a_file_while_it_is_rotated_is_read() {
        let (_directory, path) = log(&["1\n"]);
        let mut old = fs::OpenOptions::new().append(true).open(&path).unwrap();
        let mut tail = Tail::open(&path, Begin::Start).unwrap();
        let mut text = Vec::new();
        tail.read(&mut text).unwrap();
        fs::rename(&path, aged(&path, 1)).unwrap();
        fs::write(&path, "3\n").unwrap();
        assert!(!tail.read(&mut text).unwrap());
        old.write_all(b"2\n").unwrap();
        while tail.read(&mut text).unwrap() {}
        while tail.read(&mut text).unwrap() {}
        assert_eq!(text, b"1\n2\n3\n");
    }

    /// The text from pieces of this size, and whether a search needed more than one.
    fn pieces(path: &Path, begin: Begin, limit: usize) -> (String, bool) {
        let (mut request, mut text, mut was_put_off) = (begin.request(), Vec::new(), false);
        loop {
            let piece = piece(path, &request, limit).unwrap();
            assert!(piece.text.len() <= limit);
            was_put_off |= piece.text.is_empty() && piece.more;
            text.extend(piece.text);
            request = LogRequest::After(piece.after);
            if !piece.more {
                return (String::from_utf8(text).unwrap(), was_put_off);
            }
        }
    }

    #[test]
    fn pieces_make_up_what_a_tail_reads() {
        let (_directory, path) = log(&["1\n2\n", "3\n4\n5\n", "", "6\n7"]);
        for limit in 1..20 {
            for lines in 0..9 {
                let (text, was_put_off) = pieces(&path, Begin::LastLines(lines), limit);
                assert_eq!(text, last_lines(&path, lines).unwrap());
                assert!(!was_put_off);
            }
            assert_eq!(pieces(&path, Begin::Start, limit).0, "1\n2\n3\n4\n5\n6\n7");
        }
        assert_eq!(put_off(&LogRequest::LastLines(3)).text, b"");
        let LogPiece { after, more, .. } = put_off(&LogRequest::LastLines(3));
        let next = piece(&path, &LogRequest::After(after), 9).unwrap();
        assert!(more && next.text == b"5\n6\n7");
    }

    #[test]
    fn a_long_search_is_cut_and_finds_the_same() {
        let line = |second: usize| format!("2026-01-01T00:00:{second:02}+00:00 {:9999}\n", 0);
        let files: [String; 3] = std::array::from_fn(|file| {
            (0..60).flat_map(|second| vec![line(second); 1 + file]).collect()
        });
        let (_directory, path) = log(&files.each_ref().map(String::as_str));
        let all = files.concat();
        let lines = all.len() / line(0).len();
        for count in [1, 100, 181, 182, 359, 360, 361] {
            let (text, was_put_off) = pieces(&path, Begin::LastLines(count), 1 << 20);
            assert!(text == all[(lines - count.min(lines)) * line(0).len()..], "{count}");
            assert_eq!(was_put_off, count > 104, "{count}");
        }
        let start = 1_767_225_600_000;
        for (ms, before) in [(0, 0), (30_000, 30), (59_000, 59), (60_000, lines)] {
            let (text, _) = pieces(&path, Begin::Since(start + ms), 1 << 20);
            assert!(text == all[before * line(0).len()..], "{ms}");
        }
    }

    #[test]
    fn what_a_cursor_leads_to_may_be_gone() {
        let (_directory, path) = log(&["1\n", "2\n", "3\n"]);
        let first = piece(&path, &LogRequest::Start, 2).unwrap();
        assert!(first.text == b"1\n" && first.more);
        fs::remove_file(aged(&path, 2)).unwrap();
        let rest = piece(&path, &LogRequest::After(first.after), 9).unwrap();
        assert_eq!(rest.text, b"2\n3\n");
        // A file that has become shorter is another one.
        fs::remove_file(aged(&path, 1)).unwrap();
        fs::write(&path, "4").unwrap();
        let rest = piece(&path, &LogRequest::After(rest.after), 9).unwrap();
        assert!(rest.text == b"4" && !rest.more);
        let rest = piece(&path, &LogRequest::After(rest.after), 9).unwrap();
        assert!(rest.text.is_empty() && !rest.more);
        fs::remove_file(&path).unwrap();
        assert!(piece(&path, &LogRequest::After(rest.after), 9).is_err());
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let devices = ["/dev/tty", "/dev/null", "/dev/zero", "/dev/full"].map(Path::new);
        for path in [directory.path()].into_iter().chain(devices) {
            assert!(piece(path, &LogRequest::Start, 9).is_err());
            assert!(last_lines(path, 9).is_err());
        }
    }

    #[test]
    fn pieces_wait_for_what_is_written_to_a_file_while_it_is_rotated() {
        let (_directory, path) = log(&["1\n"]);
        let mut old = fs::OpenOptions::new().append(true).open(&path).unwrap();
        let mut text = Vec::new();
        let mut request = LogRequest::Start;
        let mut look = |text: &mut Vec<u8>| {
            let piece = piece(&path, &request, 99).unwrap();
            assert!(!piece.more);
            text.extend(piece.text);
            request = LogRequest::After(piece.after);
        };
        look(&mut text);
        fs::rename(&path, aged(&path, 1)).unwrap();
        fs::write(&path, "3\n").unwrap();
        look(&mut text);
        old.write_all(b"2\n").unwrap();
        look(&mut text);
        assert_eq!(text, b"1\n2\n3\n");
    }
}
