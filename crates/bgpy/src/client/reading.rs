//! How the callers of a connection read: one of them, the leader, for all.

use std::io;
use std::sync::MutexGuard;
use std::time::Instant;

use bgpy_proto::client::Event;

use super::link::{Link, LinkState};
use super::probe::Silence;
use super::read_state::ReadState;
use crate::clock;
use crate::error::Lost;
use crate::platform;
use crate::sync::{lock, try_lock};
use crate::transport::is_pause;
use crate::wait::{SLICE, Wait};

/// Why a wait ended without an event.
pub(super) enum WaitEnd {
    Timeout,
    Interrupted,
    Lost(Lost),
}

impl Link {
    /// Waits for the next event of a call.
    pub(super) fn next_event(&self, call: u64, wait: &Wait<'_>) -> Result<Event, WaitEnd> {
        loop {
            if let Some(reading) = try_lock(&self.reading) {
                if let Some(event) = self.read_until(call, reading, wait)? {
                    return Ok(event);
                }
                self.ask(wait)?;
                continue;
            }
            let mut state = lock(&self.state);
            if let Some(event) = state.event(call)? {
                return Ok(event);
            }
            // The leader releases `reading` only while it holds `state`, and then wakes the
            // sleepers. `state` is held here until the sleep has begun, so no wake-up is lost.
            if try_lock(&self.reading).is_some() {
                continue;
            }
            let slice = wait.slice().ok_or(WaitEnd::Timeout)?;
            drop(self.sleep(state, slice));
            self.probe(wait.since(), wait)?;
            self.ask(wait)?;
        }
    }

    /// Runs signal handlers with no lock held: they may use this connection.
    fn ask(&self, wait: &Wait<'_>) -> Result<(), WaitEnd> {
        match self.is_interrupted(wait) {
            Ok(false) => Ok(()),
            Ok(true) => Err(WaitEnd::Interrupted),
            Err(lost) => Err(WaitEnd::Lost(lost)),
        }
    }

    /// Reads for all callers until there is an event for this call, or until nothing has arrived
    /// for a slice of time (`None`).
    fn read_until(
        &self,
        call: u64,
        mut reading: MutexGuard<'_, ReadState>,
        wait: &Wait<'_>,
    ) -> Result<Option<Event>, WaitEnd> {
        // Silence counts from when a caller began to listen: bytes that arrived earlier count as
        // heard then.
        reading.heard = reading.heard.max(wait.since());
        reading.fresh = false;
        let mut state = lock(&self.state);
        let outcome = loop {
            match state.event(call) {
                Ok(None) => drop(state),
                outcome => break outcome,
            }
            let outcome = self.read_for(&mut reading, wait);
            state = lock(&self.state);
            match outcome {
                Ok(true) => self.wake_sleepers(&state),
                Ok(false) => break Ok(None),
                Err(end) => break Err(end),
            }
        };
        // Release `reading` while holding `state` (see `next_event`), then wake the sleepers: one
        // of them becomes the leader.
        drop(reading);
        self.wake_sleepers(&state);
        outcome
    }

    /// Waits for bytes for a slice of time and processes them; `false` if none arrived.
    fn read_for(&self, reading: &mut ReadState, wait: &Wait<'_>) -> Result<bool, WaitEnd> {
        reading.make_room();
        let placed = self.read_placed(reading).map_err(WaitEnd::Lost)?;
        if placed == Some(true) {
            return Ok(true);
        }
        if placed.is_none()
            && let Some(outcome) = reading.look(&self.socket, self.segments.as_ref())
        {
            return self.digest(reading, outcome).map(|_| true).map_err(WaitEnd::Lost);
        }
        let slice = wait.slice().ok_or(WaitEnd::Timeout)?;
        // The socket's own read timeout is SLICE. A shorter wait needs a poll first, and so does
        // the read of a large message, which holds `state`.
        let ready = placed.is_none() && slice == SLICE
            || match platform::wait(&self.socket, true, false, slice) {
                Ok(ready) => ready.readable,
                Err(error) if is_pause(error.kind()) => false,
                Err(error) => return Err(WaitEnd::Lost(self.lose(Lost::Io(error.kind())))),
            };
        if ready && (placed.is_some() || self.read(reading).map_err(WaitEnd::Lost)?) {
            return Ok(true);
        }
        self.watch(reading, wait).map(|()| false)
    }

    /// Reads once; `false` if nothing arrived within a slice of time.
    pub(super) fn read(&self, reading: &mut ReadState) -> Result<bool, Lost> {
        reading.make_room();
        let outcome = match &self.segments {
            Some(segments) => {
                segments.recv(&self.socket, &mut reading.buffer, false).map(|(bytes, _)| bytes)
            }
            None => platform::recv(&self.socket, &mut reading.buffer),
        };
        self.digest(reading, outcome)
    }

    /// Reads the next bytes of a large message directly into its buffer; `Some(false)` if none are
    /// there, `None` if no large message is under way.
    fn read_placed(&self, reading: &mut ReadState) -> Result<Option<bool>, Lost> {
        let mut state = lock(&self.state);
        let Some((part, missing)) = state.session.place() else { return Ok(None) };
        let outcome = reading.spin.look(|| match platform::read_end(&self.socket, part, missing) {
            Err(error) if is_pause(error.kind()) => None,
            outcome => Some(outcome),
        });
        let fed = match outcome {
            None => return Ok(Some(false)),
            Some(Ok(0)) => Err(Lost::Closed),
            Some(Ok(_)) => state.session.feed(&[]).map_err(Lost::Protocol),
            Some(Err(error)) => Err(Lost::Io(error.kind())),
        };
        drop(state);
        self.heard(reading);
        fed.map(|()| Some(true)).map_err(|lost| self.lose(lost))
    }

    /// Processes the result of a read; `false` if nothing arrived.
    fn digest(&self, reading: &mut ReadState, outcome: io::Result<usize>) -> Result<bool, Lost> {
        match outcome {
            Ok(0) => Err(self.lose(Lost::Closed)),
            Ok(count) => {
                self.heard(reading);
                let fed = lock(&self.state).session.feed(&reading.buffer[..count]);
                fed.map(|()| true).map_err(|error| self.lose(Lost::Protocol(error)))
            }
            Err(error) if is_pause(error.kind()) => Ok(false),
            Err(error) => Err(self.lose(Lost::Io(error.kind()))),
        }
    }

    /// Notes that the server has sent something.
    fn heard(&self, reading: &mut ReadState) {
        reading.fresh = true;
        self.probe.answered();
    }

    /// Probes a silent server, and gives the connection up if no answer arrives.
    fn watch(&self, reading: &mut ReadState, wait: &Wait<'_>) -> Result<(), WaitEnd> {
        if std::mem::take(&mut reading.fresh) {
            reading.heard = clock::now();
        }
        match self.probe.silence() {
            Silence::Over(silence) => Err(WaitEnd::Lost(self.lose(Lost::Silent(silence)))),
            // A probe that did not fit the full socket is sent when there is room.
            Silence::Asked => self.send_rest(lock(&self.state)),
            Silence::NotAsked => self.probe(reading.heard, wait),
        }
    }

    /// Sends a probe if one is due.
    fn probe(&self, heard: Instant, wait: &Wait<'_>) -> Result<(), WaitEnd> {
        let asked = self.probe_if_due(heard, wait);
        asked.map_err(|kind| WaitEnd::Lost(self.lose(Lost::Io(kind))))
    }

    /// Writes queued output as far as the socket accepts it, unless a caller is writing.
    fn send_rest(&self, mut state: MutexGuard<'_, LinkState>) -> Result<(), WaitEnd> {
        if state.writing {
            return Ok(());
        }
        let sent = self.send(&mut state.session.outbox);
        drop(state);
        sent.map_err(|kind| WaitEnd::Lost(self.lose(Lost::Io(kind))))
    }
}

impl LinkState {
    fn event(&mut self, call: u64) -> Result<Option<Event>, WaitEnd> {
        match self.session.poll(call) {
            Some(event) => Ok(Some(event)),
            None => self.lost.clone().map_or(Ok(None), |lost| Err(WaitEnd::Lost(lost))),
        }
    }
}
