//! A position in a log, in bytes that the client keeps.

use std::fs::File;

use bgpy_proto::{LogCursor, LogRequest};

use crate::platform;

/// Bytes of a cursor: a tag, the three numbers that identify a file, an offset, and a search.
const BYTES: usize = 1 + 5 * 8;

/// Bits of the tag.
const HAS_BEGUN: u8 = 1;
const WAS_ROTATED: u8 = 2;
const BACK: u8 = 4;
const SINCE: u8 = 8;

/// Where reading continues.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// `None` before anything was read.
    pub(super) place: Option<Position>,
    /// A search that starts there.
    pub(super) search: Option<Search>,
}

/// A search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// The position this many lines back, over all files.
    Back(u64),
    /// The first record at or after this time, in milliseconds since 1970 UTC.
    Since(i64),
}

/// A position in a file of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) file: [u64; 3],
    pub(super) offset: u64,
    pub(super) was_rotated: bool,
}

impl Position {
    /// Whether this position is in a file: a shorter file has reused the identity of another one.
    pub(super) fn is_in(&self, file: &File) -> bool {
        platform::identity(file) == self.file
            && file.metadata().is_ok_and(|about| about.len() >= self.offset)
    }
}

impl Cursor {
    /// The cursor of a request. A cursor that is not one of ours leads to the beginning.
    pub(super) fn of(request: &LogRequest) -> Self {
        let search = |search| Self { place: None, search: Some(search) };
        match request {
            LogRequest::Start => Self::default(),
            LogRequest::LastLines(lines) => search(Search::Back(*lines)),
            LogRequest::Since(ms) => search(Search::Since(*ms)),
            LogRequest::After(cursor) => Self::decode(cursor.as_bytes()).unwrap_or_default(),
        }
    }

    pub(super) fn encode(&self) -> LogCursor {
        let (mut tag, mut numbers) = (0, [0; 5]);
        if let Some(Position { file, offset, was_rotated }) = self.place {
            tag |= HAS_BEGUN | if was_rotated { WAS_ROTATED } else { 0 };
            numbers[..3].copy_from_slice(&file);
            numbers[3] = offset;
        }
        match self.search {
            None => {}
            Some(Search::Back(lines)) => (tag, numbers[4]) = (tag | BACK, lines),
            Some(Search::Since(ms)) => (tag, numbers[4]) = (tag | SINCE, ms as u64),
        }
        let bytes = std::iter::once(tag).chain(numbers.iter().flat_map(|n| n.to_le_bytes()));
        LogCursor::new(bytes.collect()).expect("it is short enough")
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        let (tag, rest) = (bytes[0], &bytes[1..]);
        let (numbers, _) = rest.as_chunks();
        let number = |at: usize| u64::from_le_bytes(numbers[at]);
        let place = (tag & HAS_BEGUN != 0).then(|| Position {
            file: [number(0), number(1), number(2)],
            offset: number(3),
            was_rotated: tag & WAS_ROTATED != 0,
        });
        let search = match tag & !(HAS_BEGUN | WAS_ROTATED) {
            0 => None,
            BACK => Some(Search::Back(number(4))),
            SINCE => Some(Search::Since(number(4) as i64)),
            _ => return None,
        };
        Some(Self { place, search })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were() {
        let place = Position { file: [1, u64::MAX, 3], offset: 1 << 40, was_rotated: true };
        for place in [None, Some(place), Some(Position { was_rotated: false, ..place })] {
            for search in [None, Some(Search::Back(7)), Some(Search::Since(-7))] {
                let cursor = Cursor { place, search };
                assert_eq!(cursor.encode().as_bytes().len(), BYTES);
                assert_eq!(Cursor::of(&LogRequest::After(cursor.encode())), cursor);
            }
        }
    }

    #[test]
    fn a_foreign_cursor_leads_to_the_beginning() {
        for bytes in [vec![], vec![0; BYTES - 1], vec![0; BYTES + 1], vec![0xff; BYTES]] {
            let cursor = LogCursor::new(bytes).unwrap();
            assert_eq!(Cursor::of(&LogRequest::After(cursor)), Cursor::default());
        }
    }
}
