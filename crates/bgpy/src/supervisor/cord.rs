//! The line from a server to its supervisor.

use crate::spawn::Report;

/// How long a supervisor may take to let go of the place.
#[cfg(unix)]
const LET_GO: std::time::Duration = std::time::Duration::from_secs(2);

/// The server's end of the line.
#[derive(Debug)]
pub struct Cord {
    #[cfg(unix)]
    pub(super) stream: std::os::unix::net::UnixStream,
}

impl Cord {
    /// Says that no more calls are taken, and returns when the supervisor has let go of the place, so
    /// that a successor can have it; or when it does not answer.
    pub(crate) fn retire(&mut self) {
        #[cfg(unix)]
        {
            use std::io::{Read, Write};

            let told = self.stream.set_read_timeout(Some(LET_GO));
            let told = told.and_then(|()| self.stream.write_all(&Report::Retiring.line()));
            // It answers by closing its end, which a dead one has done already.
            drop(told.and_then(|()| self.stream.read(&mut [0])));
        }
        #[cfg(not(unix))]
        let _ = Report::Retiring;
    }
}
