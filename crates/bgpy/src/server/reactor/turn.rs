//! One turn of the reactor: what happened on the sockets, and what is due.

use std::io;
use std::time::{Duration, Instant};

use mio::Token as PollToken;
use mio::event::Event;

use super::poller_check::PollerCheck;
use super::run::FAREWELL;
use crate::clock;
use crate::duration::shown;
use crate::server::cancellation::Why;
use crate::server::core::Core;
use crate::server::jobs::OF_JOBS;

/// The longest wait of the poller, whose timeout is limited to a few weeks.
const POLL_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How often the executing thread is interrupted until it has noticed that its call is cancelled.
const INTERRUPT_EVERY: Duration = Duration::from_millis(5);

/// A poller event for a listener or a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PollEvent {
    pub(crate) token: usize,
    pub(crate) is_read_closed: bool,
    pub(crate) is_writable: bool,
}

impl From<&Event> for PollEvent {
    fn from(event: &Event) -> Self {
        let PollToken(token) = event.token();
        let (is_read_closed, is_writable) = (event.is_read_closed(), event.is_writable());
        Self { token, is_read_closed, is_writable }
    }
}

impl Core {
    /// Handles a poller event.
    pub(crate) fn ready(&mut self, PollEvent { token, is_read_closed, is_writable }: PollEvent) {
        if let Some(listener) = self.listeners.get(token) {
            self.pending.listener_ready(token, listener.is_unix());
            return;
        }
        if is_read_closed && let Some(connection) = self.connections.get_mut(&token) {
            connection.expect_end();
        }
        if is_writable {
            self.flush(token);
        }
        self.mark_readable(token);
    }

    /// Does one turn of work on everything that is ready.
    ///
    /// # Errors
    /// The system's error when a listener or the poller is gone.
    pub(crate) fn proceed(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        for _ in 0..self.unwritten.len() {
            let Some(token) = self.unwritten.pop() else { break };
            self.flush(token);
        }
        for _ in 0..self.unread.len() {
            let Some(token) = self.unread.pop() else { break };
            self.read(token, scratch);
        }
        self.receive(scratch)?;
        if self.log_limiter.due().is_some_and(|at| at <= clock::now()) {
            self.log_counted(clock::now());
        }
        if self.idle_until().is_some_and(|at| at <= clock::now()) {
            let limit = shown(self.idle.limit().unwrap_or_default());
            self.log.info(format_args!("no call for {limit}, the idle timeout: ending"));
            self.stop();
        }
        if self.calls.under_way.deadline().is_some_and(|at| at <= clock::now()) {
            for number in self.calls.under_way.take_expired(clock::now()) {
                self.control.interrupt(&mut self.calls, number, Why::Expired);
            }
        }
        self.end_others();
        self.end_lingering();
        self.control.repeat();
        self.tell_progress();
        self.tell_methods();
        // What ended in this turn may have freed missing descriptors.
        self.reserve.fill();
        Ok(())
    }

    /// Checks that the poller, and the listeners as long as the server accepts calls, still exist.
    pub(crate) fn check(&self, poller_check: PollerCheck) -> io::Result<()> {
        poller_check.check(&self.listeners)
    }

    /// How long the poller may wait before there is work here; `None` means forever.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let ready = [&self.unread, &self.unwritten];
        if ready.iter().any(|queue| !queue.is_empty()) {
            return Some(Duration::ZERO);
        }
        if let Some(wait) = self.pending.wait() {
            return Some(wait);
        }
        let repeats = self.control.is_pending().then(|| clock::now() + INTERRUPT_EVERY);
        let moments = [
            self.pending.soonest(),
            self.idle_until(),
            self.log_limiter.due(),
            self.calls.under_way.deadline(),
            self.others_end(),
            self.lingering.due(),
            repeats,
        ];
        let soonest = moments.into_iter().flatten().min()?;
        // Rounded up, so that the time has passed when the poller returns.
        let left = soonest.saturating_duration_since(clock::now()) + Duration::from_millis(1);
        Some(left.min(POLL_TIMEOUT_MAX))
    }

    /// When the calls end that keep an EXIT waiting: an endless stream must not keep a server from ending.
    fn others_end(&self) -> Option<Instant> {
        let is_next = self.calls.is_exit_next() && !self.calls.under_way.uncancelled().is_empty();
        self.lifecycle.exit_since().filter(|_| is_next)?.checked_add(FAREWELL)
    }

    fn end_others(&mut self) {
        if self.others_end().is_some_and(|at| at <= clock::now()) {
            let numbers: Vec<_> = self.calls.under_way.uncancelled();
            for number in numbers {
                self.control.interrupt(&mut self.calls, number, Why::Asked);
            }
        }
    }

    /// Tells the callers of the calls under way how far these have come, if it is time to.
    fn tell_progress(&mut self) {
        let due = self.calls.under_way.calls().filter_map(|call| {
            let progress = self.control.due_progress(call.number)?;
            Some((call.connection, call.id, progress))
        });
        for (connection, id, progress) in due.collect::<Vec<_>>() {
            if connection == OF_JOBS {
                self.tell_job_progress(id, &progress);
            }
            self.with_session(connection, |session| session.progress(id, &progress));
        }
    }

    /// When the idle timeout expires; `None` while the server works.
    fn idle_until(&self) -> Option<Instant> {
        let at = self.idle.expires()?;
        let works = self.lifecycle.is_starting()
            || self.lifecycle.is_ending()
            || !self.calls.under_way.is_empty()
            || self.calls.has_waiting();
        (!works).then_some(at)
    }
}
