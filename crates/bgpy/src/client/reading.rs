//! How the callers of a connection read: one of them, the leader, for all.

use std::sync::MutexGuard;
use std::time::Instant;

use bgpy_proto::client::Event;

use super::link::{Link, LinkState};
use super::probe::Silence;
use super::read_state::ReadState;
use crate::clock;
use crate::error::{CallError, Lost};
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

    /// The next event of a call, if one has arrived.
    pub(super) fn try_event(&self, call: u64) -> Result<Option<Event>, WaitEnd> {
        lock(&self.state).event(call)
    }

    /// How often something has arrived. Read it before looking for [steps](super::Call::try_step).
    pub fn arrivals(&self) -> u64 {
        lock(&self.state).arrivals
    }

    /// Reads for all callers of the connection until more has arrived than `seen`, or for a slice of time. Then
    /// several calls may have made [steps](super::Call::try_step).
    ///
    /// # Errors
    /// [`CallError`], if the time of the wait is over, the caller was interrupted, or the connection is lost.
    pub fn pump(&self, seen: u64, wait: &Wait<'_>) -> Result<(), CallError> {
        let pumped = self.pump_once(seen, wait).and_then(|()| self.ask(wait));
        pumped.map_err(|end| match end {
            WaitEnd::Timeout => self.timed_out(wait, true),
            WaitEnd::Interrupted => CallError::Interrupted,
            WaitEnd::Lost(reason) => self.lost(reason),
        })
    }

    fn pump_once(&self, seen: u64, wait: &Wait<'_>) -> Result<(), WaitEnd> {
        self.end_lingering().map_err(WaitEnd::Lost)?;
        let reading = try_lock(&self.reading);
        let state = lock(&self.state);
        if let Some(lost) = &state.lost {
            return Err(WaitEnd::Lost(lost.clone()));
        }
        let has_arrived = state.arrivals != seen;
        let Some(mut reading) = reading else {
            // As in `next_event`.
            if !has_arrived && try_lock(&self.reading).is_none() {
                let slice = wait.slice().ok_or(WaitEnd::Timeout)?;
                drop(self.sleep(state, slice));
                self.probe(wait.since(), wait)?;
            }
            return Ok(());
        };
        drop(state);
        let mut outcome = Ok(false);
        if !has_arrived {
            reading.heard = reading.heard.max(wait.since());
            reading.fresh = false;
            outcome = self.read_for(&mut reading, wait);
        }
        // As in `read_until`.
        let state = lock(&self.state);
        drop(reading);
        self.wake_sleepers(&state);
        outcome.map(drop)
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
        let placed = self.read_placed(reading, true).map_err(WaitEnd::Lost)?;
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

    /// Probes a silent server, and gives the connection up if no answer arrives.
    pub(super) fn watch(&self, reading: &mut ReadState, wait: &Wait<'_>) -> Result<(), WaitEnd> {
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

    /// Writes what the session has queued by itself, as far as the socket accepts it.
    pub(super) fn send_queued(&self) -> Result<(), WaitEnd> {
        let state = lock(&self.state);
        if state.session.outbox.is_empty() { Ok(()) } else { self.send_rest(state) }
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
