//! The tasks sent by a client, kept for the next process of the server.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use bgpy_proto::Delivered;

use super::message_file;
use crate::platform::{self, Private};

/// Bytes before the message: its length, or 0 if there is no message yet.
const HEAD: u64 = 8;

/// An unnamed file, in memory if possible, which disappears when the last process that has it open
/// ends.
#[derive(Debug)]
pub struct FirstTasks {
    file: Private<File>,
}

impl From<File> for FirstTasks {
    /// Takes over a file created for a server; its forked children do not get it.
    fn from(file: File) -> Self {
        Self { file: Private::new(file) }
    }
}

impl FirstTasks {
    /// Creates the file, in memory if possible.
    pub(crate) fn create(directory: &Path) -> io::Result<File> {
        platform::unnamed_file(directory)
    }

    /// Writes a message before it is known whether its tasks are good.
    ///
    /// # Errors
    /// The system's error, for example if there is no room.
    pub fn stage(&self, message: &Delivered) -> io::Result<Staged<'_>> {
        let mut file: &File = &self.file;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(HEAD))?;
        let mut output = BufWriter::new(file);
        message_file::write(&mut output, message)?;
        output.flush()?;
        Ok(Staged { file })
    }

    /// The tasks, if any were committed.
    ///
    /// # Errors
    /// The system's error.
    pub fn read(&self) -> io::Result<Option<Delivered>> {
        let mut file: &File = &self.file;
        file.seek(SeekFrom::Start(0))?;
        let mut input = BufReader::new(file);
        let mut head = [0; HEAD as usize];
        let length = match input.read_exact(&mut head) {
            Ok(()) => u64::from_le_bytes(head),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        if length == 0 {
            return Ok(None);
        }
        message_file::read(input.take(length)).map(Some)
    }
}

/// Tasks that are written but not committed.
#[derive(Debug)]
pub struct Staged<'a> {
    file: &'a File,
}

impl Staged<'_> {
    /// Makes them the server's tasks.
    ///
    /// # Errors
    /// The system's error.
    pub fn commit(self) -> io::Result<()> {
        let mut file = self.file;
        let length = file.metadata()?.len() - HEAD;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&length.to_le_bytes())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn they_are_there_once_they_are_known_to_be_good() {
        let directory = tempfile::tempdir().unwrap();
        let tasks = FirstTasks::from(FirstTasks::create(directory.path()).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(tasks.read().unwrap().is_none());
        let message = |text: &[u8]| Delivered::handed_over(text.to_vec(), vec![vec![1; 100]]);
        let _ = tasks.stage(&message(b"a long one that fails")).unwrap();
        assert!(tasks.read().unwrap().is_none());
        tasks.stage(&message(b"good")).unwrap().commit().unwrap();
        let read = tasks.read().unwrap().expect("they were committed");
        assert_eq!((read.data(), read.buffers().len()), (&b"good"[..], 1));
    }
}
