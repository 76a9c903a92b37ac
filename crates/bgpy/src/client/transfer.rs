//! Bytes between the socket and the session of a connection, as far as they move at once.

use std::io;
use std::time::Duration;

use bgpy_proto::Outbox;

use super::link::{Link, LinkState};
use super::read_state::ReadState;
use crate::error::Lost;
use crate::platform;
use crate::sync::{lock, try_lock};
use crate::transport::is_pause;

/// Bytes written before other callers get to `state`.
const WRITE_TURN_BYTES: usize = 8 << 20;

impl Link {
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
    pub(super) fn read_placed(
        &self,
        reading: &mut ReadState,
        spins: bool,
    ) -> Result<Option<bool>, Lost> {
        let mut state = lock(&self.state);
        let Some((part, missing)) = state.session.place() else { return Ok(None) };
        let mut read = || match platform::read_end(&self.socket, part, missing) {
            Err(error) if is_pause(error.kind()) => None,
            outcome => Some(outcome),
        };
        let outcome = if spins { reading.spin.look(read) } else { read() };
        let fed = match outcome {
            None => return Ok(Some(false)),
            Some(Ok(0)) => Err(Lost::Closed),
            Some(Ok(_)) => self.feed(&mut state, &[]),
            Some(Err(error)) => Err(Lost::Io(error.kind())),
        };
        drop(state);
        self.heard(reading);
        fed.map(|()| Some(true)).map_err(|lost| self.lose(lost))
    }

    /// Processes bytes, and sends what the session says to them by itself, such as credits for a stream that nobody
    /// reads any more.
    fn feed(&self, state: &mut LinkState, bytes: &[u8]) -> Result<(), Lost> {
        state.arrivals += 1;
        let before = state.session.outbox.len();
        state.session.feed(bytes).map_err(Lost::Protocol)?;
        if state.session.outbox.len() > before && !state.writing {
            return self.send(&mut state.session.outbox).map_err(Lost::Io);
        }
        Ok(())
    }

    /// Processes the result of a read; `false` if nothing arrived.
    pub(super) fn digest(
        &self,
        reading: &mut ReadState,
        outcome: io::Result<usize>,
    ) -> Result<bool, Lost> {
        match outcome {
            Ok(0) => Err(self.lose(Lost::Closed)),
            Ok(count) => {
                self.heard(reading);
                let fed = self.feed(&mut lock(&self.state), &reading.buffer[..count]);
                fed.map(|()| true).map_err(|lost| self.lose(lost))
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

    /// Writes without blocking what the socket accepts, for one turn.
    pub(super) fn send(&self, outbox: &mut Outbox) -> Result<(), io::ErrorKind> {
        let end = outbox.len().saturating_sub(WRITE_TURN_BYTES);
        while outbox.len() > end {
            let offer = self.segments.as_ref().zip(outbox.attached());
            let sent = if let Some((segments, segment)) = offer {
                segments.send_offer(&self.socket, outbox.front(), segment)
            } else if outbox.is_single() {
                platform::send_now(&self.socket, outbox.front())
            } else {
                platform::send_slices_now(&self.socket, &outbox.slices())
            };
            match sent {
                Ok(bytes) => outbox.advance(bytes),
                Err(error) if is_pause(error.kind()) => return Ok(()),
                Err(error) => return Err(error.kind()),
            }
        }
        Ok(())
    }

    /// Processes what the server has sent, unless another caller reads, which sees it itself. Returns
    /// whether that was done.
    pub fn hear_out(&self) -> bool {
        let Some(mut reading) = try_lock(&self.reading) else { return false };
        while platform::wait(&self.socket, true, false, Duration::ZERO)
            .is_ok_and(|ready| ready.readable)
            && self.read(&mut reading).is_ok()
        {}
        let state = lock(&self.state);
        drop(reading);
        self.wake_sleepers(&state);
        true
    }
}
