//! The poller, and what only its holder needs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::{Events, Poll, Token};

use super::listen::Listener;
use super::reactor::Shared;
use super::rest::REST;
use super::signal::{Receiver, Waker};
use crate::platform::{self, Private};
use crate::spin::Spin;

/// Bytes that one read takes at most; the buffer is the leader's and serves all connections.
const SCRATCH_BYTES: usize = 256 << 10;

const WAKE: Token = Token(usize::MAX);

/// Whoever has it locked polls.
pub(super) struct Leader {
    poll: Private<Poll>,
    events: Events,
    scratch: Vec<u8>,
    pub(super) patience: Option<Duration>,
    spin: Spin,
    signals: Receiver,
}

/// What the stand-in needs to see whether the poller is what it was, while somebody else polls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched {
    /// The one with which its holder waits, and the second handle.
    pollers: [i32; 2],
    source: i32,
}

impl Leader {
    pub(super) fn new() -> io::Result<(Self, Arc<Waker>)> {
        let poll = Private::open(Poll::new)?;
        let (waker, signals) = Receiver::new(poll.registry(), WAKE)?;
        let leader = Self {
            poll,
            events: Events::with_capacity(256),
            scratch: vec![0; SCRATCH_BYTES],
            patience: Some(Duration::ZERO),
            spin: Spin::default(),
            signals,
        };
        Ok((leader, waker))
    }

    /// A second handle of the poller, for those who register something.
    pub(super) fn registry(&self) -> io::Result<Private<mio::Registry>> {
        Private::open(|| self.poll.registry().try_clone())
    }

    pub(super) fn watched(&self, registry: &mio::Registry) -> Watched {
        let pollers = [platform::number(&*self.poll), platform::number(registry)];
        Watched { pollers, source: self.signals.descriptor() }
    }

    /// Looks at the sockets for a moment; `false` when nothing came.
    pub(super) fn look(&mut self) -> bool {
        let Self { poll, events, patience, spin, .. } = self;
        // While strangers rest, more of them come, which are not worth a look.
        if patience.is_some_and(|patience| patience <= REST) {
            return false;
        }
        let look = || {
            poll.poll(events, Some(Duration::ZERO)).ok()?;
            (!events.is_empty()).then_some(())
        };
        spin.look(look).is_some()
    }

    /// Waits for the sockets, for as long as there is nothing else to do.
    ///
    /// # Errors
    /// What the system says of a poller with which nobody can wait any more.
    pub(super) fn wait(&mut self, shared: &Shared) -> io::Result<()> {
        match self.poll.poll(&mut self.events, self.patience) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.events.clear();
                shared.signalled.store(true, Ordering::SeqCst);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Serves the sockets that are ready. Returns whether there is work for the executing thread.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), and what the system says of listeners that do not listen any more.
    pub(super) fn serve(&mut self, shared: &Shared) -> io::Result<bool> {
        let mut core = shared.core.lock();
        for event in &self.events {
            match event.token() {
                WAKE if self.signals.drain() => shared.signalled.store(true, Ordering::SeqCst),
                WAKE => {}
                _ => core.ready(event.into()),
            }
        }
        core.proceed(&mut self.scratch)?;
        self.patience = core.patience();
        Ok(core.has_work())
    }
}

impl Watched {
    /// Confirms that both handles are still those of this poller, and that it watches these listeners.
    ///
    /// # Errors
    /// One that says what is in its place.
    pub(super) fn check(self, listeners: &[Private<Listener>]) -> io::Result<()> {
        let [poller, _] = self.pollers;
        self.pollers
            .into_iter()
            .try_for_each(|poller| platform::check_poller(poller, self.source))?;
        let mut numbers = listeners.iter().map(|listener| platform::number(&**listener));
        numbers.try_for_each(|number| platform::check_poller(poller, number))
    }
}
