//! Who has a name: a lock on a file, which the system releases when its holder dies.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bgpy_proto::Id;

use crate::platform;

/// How long somebody holds a lock who only looks.
const GLANCE: Duration = Duration::from_millis(5);

/// A name that a server of this process has. It is lost when the process ends, and given up by
/// [`release`](Self::release); a forked process that drops its copy takes nothing from its parent.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    file: File,
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for Claim {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.file.as_raw_fd()
    }
}

impl Claim {
    pub(super) fn take(path: PathBuf) -> io::Result<Option<Self>> {
        let since = Instant::now();
        loop {
            let file = platform::lock_file(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                // Somebody may only have looked whether it is free, which takes a moment.
                Err(TryLockError::WouldBlock) if since.elapsed() < GLANCE => {
                    thread::sleep(GLANCE);
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Somebody may have released it, and removed the file, before it was locked here.
            if platform::is_file_itself_at(&file, &path) {
                return Ok(Some(Self { path, file }));
            }
        }
    }

    /// The file whose lock it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What tells the file from anything else in its place.
    pub(crate) fn stamp(&self) -> platform::Stamp {
        platform::Stamp::of_file(&self.file).unwrap_or_default()
    }

    /// Takes the name again if its file was removed or replaced, so that the lock keeps nobody out; none
    /// where it does.
    ///
    /// # Errors
    /// When another one has taken it meanwhile, or what the operating system says.
    pub(crate) fn renewed(&self) -> io::Result<Option<Self>> {
        if platform::is_file_itself_at(&self.file, &self.path) {
            return Ok(None);
        }
        // What is no file cannot be locked by anybody.
        if self.path.symlink_metadata().is_ok_and(|about| !about.is_file()) {
            return self.replaced().map(Some);
        }
        let taken = || io::Error::new(io::ErrorKind::AddrInUse, "another server has the name now");
        Self::take(self.path.clone())?.ok_or_else(taken).map(Some)
    }

    /// Locks a file that is then put in the place of what stands there.
    fn replaced(&self) -> io::Result<Self> {
        let draft = self.path.with_extension(format!("{}.draft", Id::random()));
        let locked = platform::lock_file(&draft).and_then(|file| {
            file.lock()?;
            super::put(&draft, &self.path)?;
            Ok(Self { path: self.path.clone(), file })
        });
        locked.inspect_err(|_| drop(fs::remove_file(&draft)))
    }

    /// The claim of a process that has handed it on to this one.
    pub(super) fn inherited(path: PathBuf, file: File) -> Self {
        Self { path, file }
    }

    /// The file whose lock it is: whoever inherits it has the name, too.
    #[cfg(unix)]
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the name up.
    pub fn release(self) {
        // While it is locked, so that nobody else's file is removed. After somebody has removed this
        // one, another may be there.
        if platform::is_file_itself_at(&self.file, &self.path) {
            drop(fs::remove_file(&self.path));
        }
        drop(self.file.unlock());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_whose_file_was_removed_is_taken_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trainer.name");
        let claim = Claim::take(path.clone()).unwrap().unwrap();
        assert!(claim.renewed().unwrap().is_none());
        fs::remove_file(&path).unwrap();
        let claim = claim.renewed().unwrap().expect("its file is gone");
        assert!(Claim::take(path.clone()).unwrap().is_none());
        fs::remove_file(&path).unwrap();
        let other = Claim::take(path).unwrap().expect("its file is gone");
        assert!(claim.renewed().is_err());
        drop(other);
    }

    #[test]
    fn a_name_has_one_holder_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let take = || Claim::take(directory.path().join("trainer.name")).unwrap();
        let claim = take().expect("nobody has it");
        assert!(take().is_none());
        claim.release();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        drop(take().expect("it was released"));
        let again = take().expect("a holder that died has left its file");
        assert!(take().is_none());
        again.release();
    }
}
