//! Reading a log that is being written, and rotated, by somebody else.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::journal::{KEPT, aged, moment};
use crate::platform;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Where in a log to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At the first record that is there still.
    Start,
    /// So many lines before the end.
    LastLines(usize),
    /// At the first record of this moment, in milliseconds since 1970 UTC, or a later one.
    Since(i64),
}

/// A log from some place on, over all its rotations.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    /// What was there at the beginning and is still to be read, oldest first, and the file that is
    /// read now in front.
    files: VecDeque<File>,
    /// Whether the file that is read now was found to be rotated the last time its end was reached.
    /// What its writer began before it noticed has come by now.
    was_rotated: bool,
}

impl Tail {
    /// Opens a log.
    ///
    /// # Errors
    /// What the operating system says when there is no such file, or it cannot be read.
    pub fn open(path: &Path, begin: Begin) -> io::Result<Self> {
        let mut files = generations(path)?;
        let start = match begin {
            Begin::Start => (0, 0),
            Begin::LastLines(lines) => last_lines_start(&mut files, lines)?,
            Begin::Since(ms) => since_start(&mut files, ms)?,
        };
        files.drain(..start.0);
        for file in &mut files {
            file.rewind()?;
        }
        files[0].seek(SeekFrom::Start(start.1))?;
        Ok(Self { path: path.to_owned(), files, was_rotated: false })
    }

    /// Appends what is there now, and says whether that was anything. Whoever follows the log asks
    /// again after a while.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn read(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        let before = text.len();
        while text.len() - before < CHUNK_BYTES {
            let file = self.files.front_mut().expect("one is always read");
            if file.by_ref().take(CHUNK_BYTES as u64).read_to_end(text)? > 0 {
                self.was_rotated = false;
                continue;
            }
            if self.files.len() > 1 {
                self.files.pop_front();
                continue;
            }
            if platform::is_file_at(&self.files[0], &self.path) {
                break;
            }
            if !std::mem::replace(&mut self.was_rotated, true) {
                break;
            }
            match self.next()? {
                Some(next) => self.files[0] = next,
                None => break,
            }
            self.was_rotated = false;
        }
        Ok(text.len() > before)
    }

    /// The file behind the one that is read now, which was rotated; none while that is under way.
    fn next(&self) -> io::Result<Option<File>> {
        let is_here = |age: u32| platform::is_file_at(&self.files[0], &aged(&self.path, age));
        let age = (1..=KEPT).find(|age| is_here(*age));
        // What was rotated away before it was read is lost; the oldest that is left comes next.
        let next = age.unwrap_or(KEPT + 1) - 1;
        let path = if next == 0 { self.path.clone() } else { aged(&self.path, next) };
        match File::open(path) {
            // Another rotation may have come in between.
            Ok(file) => Ok(age.is_none_or(is_here).then_some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

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

/// The files of a log, oldest first, the one that is written last.
fn generations(path: &Path) -> io::Result<VecDeque<File>> {
    loop {
        let current = File::open(path)?;
        let mut files: VecDeque<_> =
            (1..=KEPT).rev().filter_map(|age| File::open(aged(path, age)).ok()).collect();
        if platform::is_file_at(&current, path) {
            files.push_back(current);
            return Ok(files);
        }
    }
}

/// File and offset of the last so many lines.
fn last_lines_start(files: &mut VecDeque<File>, lines: usize) -> io::Result<(usize, u64)> {
    if lines == 0 {
        return end_of(files);
    }
    let mut missing = lines;
    let mut chunk = vec![0; CHUNK_BYTES];
    for index in (0..files.len()).rev() {
        let file = &mut files[index];
        let mut end = file.seek(SeekFrom::End(0))?;
        let is_empty = end == 0;
        // The end of the last line begins none.
        let mut is_last = true;
        while end > 0 {
            let start = end.saturating_sub(CHUNK_BYTES as u64);
            let bytes = &mut chunk[..(end - start) as usize];
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(bytes)?;
            for (at, _) in bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
                if std::mem::take(&mut is_last) && start + at as u64 + 1 == end {
                    continue;
                }
                if missing <= 1 {
                    return Ok((index, start + at as u64 + 1));
                }
                missing -= 1;
            }
            end = start;
        }
        if is_empty {
            continue;
        }
        // The beginning of a file begins a line.
        if missing <= 1 {
            return Ok((index, 0));
        }
        missing -= 1;
    }
    Ok((0, 0))
}

fn end_of(files: &mut VecDeque<File>) -> io::Result<(usize, u64)> {
    let newest = files.len() - 1;
    Ok((newest, files[newest].seek(SeekFrom::End(0))?))
}

/// File and offset of the first record from a moment on.
fn since_start(files: &mut VecDeque<File>, ms: i64) -> io::Result<(usize, u64)> {
    for (index, file) in files.iter_mut().enumerate() {
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut text)?;
        let mut at = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if moment(line).is_some_and(|found| found >= ms) {
                return Ok((index, at));
            }
            at += line.len() as u64;
        }
    }
    end_of(files)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;
    use crate::journal::{Journal, Level};

    fn log(texts: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        for (age, text) in texts.iter().rev().enumerate() {
            let path = if age == 0 { path.clone() } else { aged(&path, age as u32) };
            fs::write(path, text).unwrap();
        }
        (directory, path)
    }

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
    fn records_since_a_moment() {
        let text = "2026-01-01T00:00:00.000+00:00 INFO     [1] a\nb\n\
                    2026-01-01T01:00:00.000+01:00 INFO     [1] c\n\
                    2026-01-01T00:00:01.500+00:00 INFO     [1] d\n";
        let (_directory, path) = log(&[text]);
        let read = |ms| {
            let mut text = Vec::new();
            Tail::open(&path, Begin::Since(ms)).unwrap().read(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        let start = 1_767_225_600_000;
        assert_eq!(read(start), text);
        assert!(read(start + 1).ends_with(" d\n") && !read(start + 1).contains(" c\n"));
        assert_eq!(read(start + 1501), "");
    }

    #[test]
    fn a_follower_gets_every_record_once_and_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let journal = Journal::file(Level::Info, &path).unwrap();
        let mut tail = Tail::open(&path, Begin::Start).unwrap();
        let (mut text, mut written) = (Vec::new(), 0);
        for round in 0..40 {
            // Up to three rotations between two looks.
            for _ in 0..round % 4 * 5 {
                journal.info(format_args!("{written:06} {}", "x".repeat(3 << 20)));
                written += 1;
            }
            while tail.read(&mut text).unwrap() {}
            while tail.read(&mut text).unwrap() {}
            let numbers: Vec<usize> = text
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| {
                    let text = String::from_utf8_lossy(line);
                    let at = text.find("] ").expect("it is a record") + 2;
                    text[at..at + 6].parse().unwrap()
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
}
