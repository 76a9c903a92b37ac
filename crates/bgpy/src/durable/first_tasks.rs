//! The tasks that a client has given a server, kept for the process that comes after it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use bgpy_proto::Delivered;

use super::message_file;
use crate::platform::{self, Private};

/// Bytes before the message: its length, or 0 as long as there is none.
const HEAD: u64 = 8;

/// A file without a name, in memory where that can be, which is gone when the last process that has it
/// open ends.
#[derive(Debug)]
pub struct FirstTasks {
    file: Private<File>,
}

impl From<File> for FirstTasks {
    /// A file that was created for a server, which has it from now on: its forked
    /// children do not.
    fn from(file: File) -> Self {
        Self { file: Private::new(file) }
    }
}

impl FirstTasks {
    /// Makes room for tasks, which do not depend on a disk if that can be.
    pub(crate) fn create(directory: &Path) -> io::Result<File> {
        platform::unnamed_file(directory)
    }

    /// Writes a message that may turn out to have good tasks.
    ///
    /// # Errors
    /// What the operating system says, when there is no room for it for example.
    pub fn stage(&self, message: &Delivered) -> io::Result<Staged<'_>> {
        let mut file: &File = &self.file;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(HEAD))?;
        let mut output = BufWriter::new(file);
        message_file::write(&mut output, message)?;
        output.flush()?;
        Ok(Staged { file })
    }

    /// The tasks, once there are some.
    ///
    /// # Errors
    /// What the operating system says.
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

/// Tasks that have been written, but do not count yet.
#[derive(Debug)]
pub struct Staged<'a> {
    file: &'a File,
}

impl Staged<'_> {
    /// Lets them be the server's tasks.
    ///
    /// # Errors
    /// What the operating system says.
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
