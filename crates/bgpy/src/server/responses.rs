//! Responses of tasks, sent by the threads that make them.

use std::time::Duration;

use bgpy_proto::{Failure, Payload, ProtocolError, Room, ServerSession};

use super::connections::job_answers::owned;
use super::job::Outcome;
use super::jobs::OF_JOBS;
use super::reply::Answers;
use super::shared::Shared;
use crate::platform;

/// How long a task waits for its client to read more of a response before the server copies the
/// rest: about the time it takes to copy what a socket accepts at once.
const TAKE_WAIT: Duration = Duration::from_millis(1);

impl Answers for Shared {
    fn wants_response(&self, connection: usize, id: u64) -> bool {
        self.core.lock().wants_response(connection, id)
    }

    fn takes_pickles(&self, connection: usize, id: u64) -> bool {
        self.core.lock().takes_pickles(connection, id)
    }

    fn room(&self, connection: usize, id: u64) -> Room {
        let mut core = self.core.lock();
        if connection == OF_JOBS {
            return if core.jobs.wants_response(id) { Room::Open } else { Room::Gone };
        }
        core.with_session(connection, |session| session.room(id)).unwrap_or(Room::Gone)
    }

    fn over(&self, number: u64, outcome: Result<(), Failure>) {
        let mut core = self.core.lock();
        if let Some(call) = core.calls.under_way.get(number).cloned() {
            core.over(&call, &outcome.map(|()| false));
        }
    }

    fn callback(
        &self,
        connection: usize,
        id: u64,
        payload: Payload,
    ) -> Result<Option<u32>, ProtocolError> {
        let mut core = self.core.lock();
        let called = core.with_session(connection, |session| session.callback(id, payload));
        let number = called.unwrap_or(Ok(None))?;
        // Still under the lock, so that the result cannot come first.
        if let Some(number) = number {
            self.steering.news.expect((connection, id, number));
        }
        Ok(number)
    }

    fn respond(
        &self,
        connection: usize,
        id: u64,
        payload: Payload,
        error: bool,
    ) -> Result<bool, ProtocolError> {
        if connection == OF_JOBS {
            return Ok(self.keep(id, payload, error));
        }
        self.send(connection, id, payload, |session, payload| session.respond(id, payload, error))
    }

    fn respond_last(
        &self,
        connection: usize,
        id: u64,
        payload: Payload,
    ) -> Result<bool, ProtocolError> {
        if connection == OF_JOBS {
            return Ok(self.keep(id, payload, false));
        }
        self.send(connection, id, payload, |session, payload| session.respond_last(id, payload))
    }
}

impl Shared {
    /// Keeps the response of a job, if it is its first one.
    fn keep(&self, job: u64, payload: Payload, error: bool) -> bool {
        if !self.core.lock().jobs.wants_response(job) {
            return false;
        }
        // Outside any lock: copying a large response takes a while, and dropping what it was made of may need the GIL.
        match owned(payload) {
            Ok(payload) => self.core.lock().jobs.keep(job, Outcome::Response { payload, error }),
            Err(bytes) => {
                let what = format!("the result of a job, {bytes} bytes");
                let failure = Failure::memory("the server", what);
                self.core.lock().jobs.keep(job, Outcome::Failed(failure))
            }
        }
    }

    /// Sends a response, if its caller still waits for it.
    fn send(
        &self,
        connection: usize,
        id: u64,
        mut payload: Payload,
        send: impl FnOnce(&mut ServerSession, Payload) -> Result<bool, ProtocolError>,
    ) -> Result<bool, ProtocolError> {
        // Dropped outside any lock: dropping it may need the GIL.
        let shared = payload.shared();
        // Outside any lock, too: copying a large response takes a while.
        let segments = if payload.buffers.is_empty() {
            None
        } else {
            self.core.lock().segments(connection, id)
        };
        let loans = segments.map(|segments| segments.lend(&mut payload));
        let mut core = self.core.lock();
        let taken = core.respond(connection, id, payload, send)?;
        if let Some(loans) = loans.filter(|_| taken) {
            loans.sent();
        }
        if !taken {
            core.log.debug(format_args!("a response to call {id} was dropped: not awaited"));
        }
        drop(core);
        if !shared.is_empty() {
            self.own(connection);
        }
        Ok(taken)
    }

    /// Writes out memory that belongs to the task as long as the client reads it, then copies the
    /// rest.
    fn own(&self, connection: usize) {
        let awaited = || self.core.lock().awaited(connection);
        let mut least = usize::MAX;
        while let Some((socket, bytes)) = awaited().filter(|(_, bytes)| *bytes < least) {
            least = bytes;
            // Only a write shows whether the socket accepts more.
            drop(platform::wait(&socket, false, true, TAKE_WAIT));
            self.core.lock().flush(connection);
        }
        while self.core.lock().own_some(connection) {}
    }
}
