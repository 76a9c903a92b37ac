//! Polls the servers in a thread.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use bgpy::registry::Registry;
use bgpy::survey::survey;
use bgpy::{ServerInfo, Wait};

/// Receives the results of polling: each has all servers, including those that have ended.
pub(super) struct Poller {
    infos: Receiver<io::Result<Vec<ServerInfo>>>,
    /// Ends the thread when dropped.
    _wanted: mpsc::Sender<()>,
}

impl Poller {
    /// Starts polling, at once and then every `interval`.
    pub(super) fn start(registry: Registry, interval: Duration) -> io::Result<Self> {
        let (send, infos) = mpsc::channel();
        let (wanted, ended) = mpsc::channel();
        let poll = move || {
            loop {
                let since = Instant::now();
                let never = || false;
                if send.send(survey(&registry, true, &Wait::new(None, &never))).is_err() {
                    return;
                }
                let rest = interval.saturating_sub(since.elapsed());
                if ended.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        // The thread is not joined: polling may take seconds.
        thread::Builder::new().name("bgpy-top-poller".into()).spawn(poll)?;
        Ok(Self { infos, _wanted: wanted })
    }

    /// The next result, if there is one.
    pub(super) fn try_recv(&self) -> Result<io::Result<Vec<ServerInfo>>, mpsc::TryRecvError> {
        self.infos.try_recv()
    }
}
