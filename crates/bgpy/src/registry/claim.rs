//! Claims on names: a lock on a file, which the system releases when its holder dies.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bgpy_proto::Id;

use super::Registry;
use crate::name::Name;
use crate::platform::{self, AsRawFd, RawFd};

/// How long a lock is held by a process that only checks it.
const GLANCE: Duration = Duration::from_millis(5);

/// A name held by a server of this process. Lost when the process ends, and given up by
/// [`release`](Self::release); a forked child that drops its copy takes nothing from its parent.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    file: File,
}

impl AsRawFd for Claim {
    fn as_raw_fd(&self) -> RawFd {
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
                // The holder may only be checking whether the name is free, which takes a moment.
                Err(TryLockError::WouldBlock) if since.elapsed() < GLANCE => {
                    thread::sleep(GLANCE);
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Check after locking: the previous holder may have removed the file between open and
            // lock.
            if platform::is_file_itself_at(&file, &path) {
                return Ok(Some(Self { path, file }));
            }
        }
    }

    /// Whether somebody holds the lock on a file.
    pub(super) fn is_held(path: &Path) -> bool {
        // Taking it would create the file.
        if !path.exists() {
            return false;
        }
        match Self::take(path.to_owned()) {
            Ok(Some(claim)) => {
                claim.release();
                false
            }
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// The lock file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells the file from anything else in its place.
    pub(crate) fn stamp(&self) -> platform::Stamp {
        platform::Stamp::of_file(&self.file).unwrap_or_default()
    }

    /// Takes the name again if its file was removed or replaced, so that the lock would exclude
    /// nobody; `None` if the file is in place.
    ///
    /// # Errors
    /// If another server has taken the name meanwhile, or the system's error.
    pub(crate) fn renewed(&self) -> io::Result<Option<Self>> {
        if platform::is_file_itself_at(&self.file, &self.path) {
            return Ok(None);
        }
        // Only a regular file can be locked, so nobody else holds the name.
        if self.path.symlink_metadata().is_ok_and(|about| !about.is_file()) {
            return self.replaced().map(Some);
        }
        let taken = || io::Error::new(io::ErrorKind::AddrInUse, "another server has the name now");
        Self::take(self.path.clone())?.ok_or_else(taken).map(Some)
    }

    /// Locks a new file and then moves it into place.
    fn replaced(&self) -> io::Result<Self> {
        let draft = self.path.with_extension(format!("{}.draft", Id::random()));
        let locked = platform::lock_file(&draft).and_then(|file| {
            file.lock()?;
            super::put(&draft, &self.path)?;
            Ok(Self { path: self.path.clone(), file })
        });
        locked.inspect_err(|_| drop(fs::remove_file(&draft)))
    }

    /// The claim inherited from the process before.
    pub(super) fn inherited(path: PathBuf, file: File) -> Self {
        Self { path, file }
    }

    /// The locked file: a process that inherits it holds the name, too.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Releases the name.
    pub fn release(self) {
        // Removed while locked, so that no other holder's file is removed. If this one was removed
        // before, another may be in its place.
        if platform::is_file_itself_at(&self.file, &self.path) {
            drop(fs::remove_file(&self.path));
        }
        drop(self.file.unlock());
    }
}

impl Registry {
    /// Claims a name for a server of this process; `None` if a running server has it.
    ///
    /// # Errors
    /// The system's error.
    #[doc(hidden)]
    pub fn claim(&self, name: &Name) -> io::Result<Option<Claim>> {
        Claim::take(self.name_path(name))
    }

    /// A claim inherited from another process.
    pub(crate) fn inherited_claim(&self, name: &Name, file: std::fs::File) -> Claim {
        Claim::inherited(self.name_path(name), file)
    }

    fn name_path(&self, name: &Name) -> PathBuf {
        self.directory().join(format!("{name}.name"))
    }

    /// Claims the right to start a server with this name; `None` while another process has it.
    ///
    /// # Errors
    /// The system's error.
    #[doc(hidden)]
    pub fn claim_start(&self, name: &Name) -> io::Result<Option<Claim>> {
        Claim::take(self.starting(name))
    }

    /// A claim of that kind, inherited from another program.
    pub(crate) fn inherited_start(&self, name: &Name, file: std::fs::File) -> Claim {
        Claim::inherited(self.starting(name), file)
    }

    /// Whether a process is about to start a server with this name, perhaps in place of another.
    #[doc(hidden)]
    pub fn is_about_to_start(&self, name: &Name) -> bool {
        Claim::is_held(&self.starting(name))
    }

    fn starting(&self, name: &Name) -> PathBuf {
        self.directory().join(format!("{name}.starting"))
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
        let claim = take().expect("it is free");
        assert!(take().is_none());
        claim.release();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        drop(take().expect("it was released"));
        let again = take().expect("a holder that died has left its file");
        assert!(take().is_none());
        again.release();
    }
}
