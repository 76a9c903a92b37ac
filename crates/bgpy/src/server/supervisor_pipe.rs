//! The pipe from a server to its supervisor.

use std::io::Read;
use std::time::Duration;

use crate::bootstrap::Report;
use crate::error::FailureKind;
use crate::platform::{self, AsRawFd, RawFd, SupervisorLine};

/// How long a supervisor may take to release the listeners and the name.
const LET_GO: Duration = Duration::from_secs(2);

/// The server's end of the pipe.
#[derive(Debug)]
pub(crate) struct SupervisorPipe {
    pub(crate) stream: SupervisorLine,
}

impl AsRawFd for SupervisorPipe {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

impl SupervisorPipe {
    /// Reports why the server cannot continue.
    pub(super) fn fail(&mut self, reason: &str) {
        let report = Report::Failed { kind: FailureKind::Other, message: reason.to_owned() };
        self.send(&report);
    }

    /// Reports that no more calls are accepted. Returns when the supervisor has released listeners
    /// and name, so that a successor can have them, or when it does not answer.
    pub(super) fn retire(&mut self) {
        self.send(&Report::Retiring);
        let limited = self.stream.set_read_timeout(Some(LET_GO));
        // The supervisor answers by closing its end; if it is dead, its end is closed already.
        drop(limited.and_then(|()| (&self.stream).read(&mut [0])));
    }

    fn send(&self, report: &Report) {
        // A supervisor that is gone needs no report.
        drop(platform::write_all(&self.stream, &report.line()));
    }
}
