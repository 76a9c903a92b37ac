//! Responses and outcomes of calls, on their way to the callers.

use std::time::Duration;

use bgpy_proto::{
    CallKind, Failure, FailureCode, MethodsReply, Payload, ProtocolError, ServerSession,
};
use socket2::Socket;

use super::connection::Connection;
use super::lingering::Lingers;
use crate::clock;
use crate::log::READY;
use crate::memory::segments::Segments;
use crate::platform::Private;
use crate::server::calls::Called;
use crate::server::core::Core;
use crate::server::jobs::OF_JOBS;

impl Core {
    pub(crate) fn wants_response(&mut self, connection: usize, id: u64) -> bool {
        if connection == OF_JOBS {
            return self.jobs.wants_response(id);
        }
        let session = self.connections.get_mut(&connection).and_then(Connection::session);
        session.is_some_and(|session| session.wants_response(id))
    }

    /// Whether the client accepts pickles; `true` if the client is gone.
    pub(crate) fn takes_pickles(&mut self, connection: usize, id: u64) -> bool {
        if connection == OF_JOBS {
            return self.jobs.takes_pickles(id);
        }
        let session = self.connections.get_mut(&connection).and_then(Connection::session);
        session.is_none_or(|session| session.client().allow_pickle)
    }

    /// The segments for a response, if the client still waits for it.
    pub(crate) fn segments(&mut self, connection: usize, id: u64) -> Option<Segments> {
        let connection = self.connections.get_mut(&connection)?;
        connection.session()?.wants_response(id).then(|| connection.segments.clone())?
    }

    pub(crate) fn respond(
        &mut self,
        connection: usize,
        id: u64,
        payload: Payload,
        send: impl FnOnce(&mut ServerSession, Payload) -> Result<bool, ProtocolError>,
    ) -> Result<bool, ProtocolError> {
        let bytes = payload.bytes();
        let Some(found) = self.readable(connection) else { return Ok(false) };
        let Some(session) = found.session() else { return Ok(false) };
        let taken = send(session, payload)?;
        // The first response is never put off.
        let may_linger = session.is_in_stream(id);
        if taken {
            found.expect_message(bytes);
        }
        if !may_linger || !self.linger(connection) {
            self.flush(connection);
        }
        Ok(taken)
    }

    /// Whether what is queued on a connection lingers. The leader writes it soon.
    fn linger(&mut self, token: usize) -> bool {
        let Some(connection) = self.connections.get_mut(&token) else { return false };
        match self.lingering.add(token, connection, clock::now()) {
            Lingers::No => return false,
            Lingers::WithOthers => {}
            // The leader may be asleep without a timeout.
            Lingers::First => self.wake_leader(),
        }
        true
    }

    /// Writes what has lingered long enough.
    pub(crate) fn end_lingering(&mut self) {
        for token in self.lingering.take_due(clock::now) {
            self.flush(token);
        }
    }

    /// The socket that memory of the task is still to be written to, and the number of bytes queued
    /// for it.
    pub(crate) fn awaited(&mut self, connection: usize) -> Option<(Private<Socket>, usize)> {
        let connection = self.connections.get_mut(&connection)?;
        Some((connection.awaited()?, connection.backlog()))
    }

    /// Copies a piece of a response whose memory the task may change, and writes what the client
    /// has made room for; `false` when nothing is left to copy. The leader writes the rest.
    pub(crate) fn own_some(&mut self, connection: usize) -> bool {
        let owned = self.connections.get_mut(&connection).map_or(Ok(false), Connection::own_some);
        let Ok(owned) = owned else {
            // Part of the response may have been sent already, so no other frame can follow.
            let why = "there is not enough memory for the rest of a response";
            if let Some(Connection { peer, .. }) = self.connections.get(&connection) {
                self.log
                    .error(format_args!("the connection to the client at {peer} is cut: {why}"));
            }
            self.close(connection, why);
            return false;
        };
        self.flush(connection);
        owned
    }

    /// Logs that the server has its tasks.
    pub(crate) fn log_ready(&self) {
        let (address, pid) = (self.registration().address(), std::process::id());
        self.log.info(format_args!("{READY}{address} (process {pid})"));
    }

    /// Acks the running call and the queued ones, because the task takes a while.
    pub(crate) fn ack_all(&mut self, running_for: Duration) {
        self.acks_at_once = true;
        self.calls.under_way.mark_long(running_for);
        let calls: Vec<_> = self.calls.accepted().collect();
        for (connection, id) in calls {
            self.with_session(connection, |session| session.ack(id));
        }
    }

    /// Records the outcome of a call that has run, and tells its caller.
    pub(crate) fn over(&mut self, call: &Called, outcome: &Result<bool, Failure>) {
        let Called { connection, id, kind, .. } = *call;
        if connection == OF_JOBS {
            self.jobs.has_run(id, self.calls.under_way.time_of(call.number));
        }
        let was_initialized = self.lifecycle.is_initialized();
        self.calls.finish(call);
        self.control.forget(call.number);
        self.lifecycle.finished(kind, outcome.is_ok());
        // Handing over the class or the tasks is nothing that a user calls.
        self.reporter.calls += u64::from(kind == CallKind::Exec);
        self.idle.note_use();
        if self.lifecycle.is_initialized() && !was_initialized {
            self.log_ready();
        }
        if kind == CallKind::Init {
            self.tell_methods();
        }
        let told = self.conclude(connection, id, outcome);
        if let Err(failure) = outcome {
            if matches!(failure.code, FailureCode::Cancelled | FailureCode::Expired) {
                self.log.info(format_args!("{} ended early: {failure}", call.task()));
                return;
            }
            let to = match told {
                _ if connection == OF_JOBS => "kept for whoever waits for the job",
                true => "reported to the caller",
                false => "its caller no longer waits",
            };
            let task = call.task();
            let traceback = failure.traceback.as_deref().unwrap_or_default();
            self.log.error(format_args!("{task} failed ({to}): {failure}\n{traceback}"));
        }
    }

    /// Notes the methods of the program that has started.
    pub(crate) fn has_methods(&mut self, reply: MethodsReply) {
        self.methods.are(reply);
        self.tell_methods();
    }

    /// Answers the requests for the methods, unless the program is about to start.
    pub(crate) fn tell_methods(&mut self) {
        let is_about_to_know = self.lifecycle.is_starting()
            || self.lifecycle.is_initialized()
            || self.calls.has_init();
        let Some((reply, asked)) = self.methods.due(is_about_to_know) else { return };
        for (connection, id) in asked {
            match self.connections.get(&connection) {
                None => {}
                Some(found) if found.is_paused() => self.methods.ask(connection, id),
                Some(_) => {
                    self.with_session(connection, |session| session.methods(id, &reply));
                }
            }
        }
    }

    /// Tells the caller how its call ended; `false` if the caller no longer waits.
    pub(crate) fn conclude(
        &mut self,
        connection: usize,
        id: u64,
        outcome: &Result<bool, Failure>,
    ) -> bool {
        if connection == OF_JOBS {
            self.job_ended(id, outcome);
            return true;
        }
        let told = self.with_session(connection, |session| match outcome {
            Ok(already) => {
                session.end(id, *already);
                true
            }
            Err(failure) => session.fail(id, failure),
        });
        told.unwrap_or(false)
    }

    pub(crate) fn with_session<T>(
        &mut self,
        connection: usize,
        act: impl FnOnce(&mut ServerSession) -> T,
    ) -> Option<T> {
        self.answer(connection, |connection| connection.session().map(act)).flatten()
    }

    /// Answers on a connection, and writes what its peer accepts at once. Closes the connection of
    /// a peer that does not read its answers; `None` if it is gone.
    fn answer<T>(
        &mut self,
        connection: usize,
        act: impl FnOnce(&mut Connection) -> T,
    ) -> Option<T> {
        let result = act(self.readable(connection)?);
        self.flush(connection);
        Some(result)
    }

    /// A connection whose peer reads its answers; another one is closed.
    pub(super) fn readable(&mut self, connection: usize) -> Option<&mut Connection> {
        if self.connections.get(&connection)?.is_stuck() {
            self.close(connection, "it does not read its answers");
        }
        self.connections.get_mut(&connection)
    }
}
