//! The poller, and the state that only the polling thread uses.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use mio::{Events, Poll, Token as PollToken};

use super::poller_check::PollerCheck;
use super::signal::{Receiver, Waker};
use crate::platform::{self, Private};
use crate::server::core::Core;
use crate::spin::Spin;
use crate::sync::FairMutex;

/// Most bytes taken by one read; the buffer belongs to the leader and serves all connections.
const SCRATCH_BYTES: usize = 256 << 10;

const WAKE: PollToken = PollToken(usize::MAX);

/// The thread that holds the lock on it polls.
pub(crate) struct Leader {
    poll: Private<Poll>,
    events: Events,
    scratch: Vec<u8>,
    pub(crate) poll_timeout: Option<Duration>,
    spin: Spin,
    signals: Receiver,
}

impl Leader {
    pub(crate) fn new() -> io::Result<(Self, Arc<Waker>)> {
        let poll = Private::open(Poll::new)?;
        let (waker, signals) = Receiver::new(poll.registry(), WAKE)?;
        let leader = Self {
            poll,
            events: Events::with_capacity(256),
            scratch: vec![0; SCRATCH_BYTES],
            poll_timeout: Some(Duration::ZERO),
            spin: Spin::default(),
            signals,
        };
        Ok((leader, waker))
    }

    /// A second handle of the poller, for registering sources.
    pub(crate) fn registry(&self) -> io::Result<Private<mio::Registry>> {
        Private::open(|| self.poll.registry().try_clone())
    }

    pub(crate) fn poller_check(&self, registry: &mio::Registry) -> PollerCheck {
        let pollers = [platform::number(&*self.poll), platform::number(registry)];
        PollerCheck { pollers, source: self.signals.descriptor() }
    }

    /// Spins on the sockets for a moment; `false` if nothing arrived.
    pub(crate) fn look(&mut self) -> bool {
        let Self { poll, events, poll_timeout, spin, .. } = self;
        if poll_timeout.is_some_and(|poll_timeout| poll_timeout.is_zero()) {
            return false;
        }
        let look = || {
            poll.poll(events, Some(Duration::ZERO)).ok()?;
            (!events.is_empty()).then_some(())
        };
        spin.look(look).is_some()
    }

    /// Waits for the sockets until the next deadline.
    ///
    /// # Errors
    /// The system's error when the poller no longer works.
    pub(crate) fn wait(&mut self, signalled: &AtomicBool) -> io::Result<()> {
        match self.poll.poll(&mut self.events, self.poll_timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.events.clear();
                signalled.store(true, Ordering::SeqCst);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Serves the sockets that are ready. Returns the core, still locked, if it has work for the
    /// executing thread.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait), and the system's error when a listener no longer listens.
    pub(crate) fn serve<'core>(
        &mut self,
        core: &'core FairMutex<Core>,
        signalled: &AtomicBool,
    ) -> io::Result<Option<MutexGuard<'core, Core>>> {
        let mut core = core.lock();
        for event in &self.events {
            match event.token() {
                WAKE if self.signals.drain() => signalled.store(true, Ordering::SeqCst),
                WAKE => {}
                _ => core.ready(event.into()),
            }
        }
        core.proceed(&mut self.scratch)?;
        self.poll_timeout = core.poll_timeout();
        Ok((core.has_work() || core.may_drive()).then_some(core))
    }
}
