//! How the callers of a connection write: each its own messages, one caller at a time.

use std::io;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::link::{Link, LinkState, this_thread};
use super::probe::stands_still;
use crate::clock;
use crate::error::{CallError, Lost};
use crate::platform;
use crate::sync::{lock, try_lock};
use crate::transport::is_pause;
use crate::wait::Wait;

/// How long the leader may take to read what was sent before the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often that is checked.
const LOOK: Duration = Duration::from_millis(5);

impl Link {
    /// Waits until no other caller is writing.
    pub(super) fn turn_to_write(
        &self,
        wait: &Wait<'_>,
    ) -> Result<MutexGuard<'_, LinkState>, CallError> {
        let mut state = lock(&self.state);
        loop {
            if let Some(lost) = &state.lost {
                // After a goodbye it is certain that what was not sent has not run.
                let is_over = state.session.is_over();
                return Err(if is_over { self.refused() } else { self.lost(lost.clone()) });
            }
            if !state.writing {
                return Ok(state);
            }
            let slice = wait.slice().ok_or_else(|| self.timed_out(wait, false))?;
            drop(self.sleep(state, slice));
            self.ask_writer(wait)?;
            state = lock(&self.state);
        }
    }

    /// Writes the session's output: usually at once. If the socket is full, `writing` makes other
    /// callers wait until all of it is written.
    pub(super) fn flush(
        &self,
        mut state: MutexGuard<'_, LinkState>,
        wait: &Wait<'_>,
    ) -> Result<(), CallError> {
        match self.send(&mut state.session.outbox) {
            Ok(()) if state.session.outbox.is_empty() => return Ok(()),
            Ok(()) => {}
            Err(kind) => {
                drop(state);
                return Err(self.cannot_write(kind));
            }
        }
        state.writing = true;
        self.writer.store(this_thread(), Ordering::Relaxed);
        drop(state);
        let result = self.write(wait);
        if !self.is_here() {
            return result;
        }
        let mut state = lock(&self.state);
        state.writing = false;
        self.writer.store(0, Ordering::Relaxed);
        self.wake_sleepers(&state);
        result
    }

    /// Writes everything. Reads while the server does not read, so that two sides that send each
    /// other large messages do not deadlock.
    fn write(&self, wait: &Wait<'_>) -> Result<(), CallError> {
        let mut moved = clock::now();
        loop {
            if let Err(error) = self.make_room(&mut moved, wait) {
                // Half a frame was sent, so nothing can follow it on this connection.
                self.lose(Lost::Dropped);
                return Err(error);
            }
            let mut state = lock(&self.state);
            let outbox = &mut state.session.outbox;
            let before = outbox.len();
            let sent = self.send(outbox);
            let left = outbox.len();
            drop(state);
            sent.map_err(|kind| self.cannot_write(kind))?;
            if left == 0 {
                return Ok(());
            }
            if left < before {
                moved = clock::now();
            }
        }
    }

    /// Gives the connection up, after reading what the server has sent before it closed it: answers
    /// for other callers, and perhaps its goodbye.
    fn cannot_write(&self, kind: io::ErrorKind) -> CallError {
        let since = clock::now();
        while self.is_here() && !self.hear_out() && clock::since(since) < LAST_WORDS {
            // The leader reads them, until it finds the end.
            let state = lock(&self.state);
            if state.lost.is_some() {
                break;
            }
            drop(self.sleep(state, LOOK));
        }
        self.lost(self.lose(Lost::Io(kind)))
    }

    /// Runs signal handlers with no lock held.
    fn ask_writer(&self, wait: &Wait<'_>) -> Result<(), CallError> {
        match self.is_interrupted(wait) {
            Ok(false) => Ok(()),
            Ok(true) => Err(CallError::Interrupted),
            Err(lost) => Err(self.lost(lost)),
        }
    }

    /// Waits until the socket accepts more, and reads what the server sends meanwhile.
    fn make_room(&self, moved: &mut Instant, wait: &Wait<'_>) -> Result<(), CallError> {
        let slice = wait.slice().ok_or_else(|| self.timed_out(wait, false))?;
        match platform::wait(&self.socket, true, true, slice) {
            Ok(ready) if ready.readable => {
                if let Some(mut reading) = try_lock(&self.reading) {
                    self.read(&mut reading).map_err(|lost| self.lost(lost))?;
                    *moved = clock::now();
                    let state = lock(&self.state);
                    drop(reading);
                    self.wake_sleepers(&state);
                }
            }
            Ok(_) => {}
            Err(error) if is_pause(error.kind()) => {}
            Err(error) => return Err(self.lost(self.lose(Lost::Io(error.kind())))),
        }
        self.ask_writer(wait)?;
        match stands_still(*moved) {
            Some(silence) => Err(self.lost(self.lose(Lost::Silent(silence)))),
            None => Ok(()),
        }
    }
}
