//! The pipe from a server to its supervisor.

use crate::bootstrap::Report;

/// How long a supervisor may take to release the listeners and the name.
#[cfg(unix)]
const LET_GO: std::time::Duration = std::time::Duration::from_secs(2);

/// The server's end of the pipe.
#[derive(Debug)]
pub struct SupervisorPipe {
    #[cfg(unix)]
    pub(crate) stream: std::os::unix::net::UnixStream,
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for SupervisorPipe {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.stream.as_raw_fd()
    }
}

impl SupervisorPipe {
    /// Reports why the server cannot continue.
    pub(super) fn fail(&mut self, reason: &str) {
        let report = Report::Failed { kind: "server".into(), message: reason.to_owned() };
        self.send(&report);
    }

    /// Reports that no more calls are accepted. Returns when the supervisor has released listeners
    /// and name, so that a successor can have them, or when it does not answer.
    pub(super) fn retire(&mut self) {
        #[cfg(unix)]
        {
            use std::io::Read;

            self.send(&Report::Retiring);
            let limited = self.stream.set_read_timeout(Some(LET_GO));
            // The supervisor answers by closing its end; if it is dead, its end is closed already.
            drop(limited.and_then(|()| self.stream.read(&mut [0])));
        }
        #[cfg(not(unix))]
        self.send(&Report::Retiring);
    }

    fn send(&self, report: &Report) {
        // A supervisor that is gone needs no report.
        #[cfg(unix)]
        drop(crate::platform::write_all(&self.stream, &report.line()));
        #[cfg(not(unix))]
        let _ = report;
    }
}
