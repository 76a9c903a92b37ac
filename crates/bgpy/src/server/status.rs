//! What a server reports about itself: its status and its log, and what its debugger says.

use std::time::Instant;

use bgpy_proto::{DebugReply, LogReply, LogRequest, Progress, Request, ServerSession, Status};

use super::calls::Calls;
use super::debugging::{Debugging, Question};
use super::lifecycle::Lifecycle;
use crate::clock;
use crate::log::{Log, read};
use crate::name::Name;
use crate::platform;

/// The part of the status that the calls do not know.
#[derive(Debug)]
pub(super) struct StatusReporter {
    name: Option<Name>,
    log: Log,
    started: Instant,
    /// Connections that have finished the handshake.
    pub(super) clients: u64,
    /// Calls that are over.
    pub(super) calls: u64,
    /// Whether the log may still be read in this turn of a connection: once, because it takes
    /// longer than any other immediate answer.
    pub(super) may_read_log: bool,
    pub(super) debugging: Debugging,
}

impl StatusReporter {
    pub(super) fn new(name: Option<Name>, log: Log) -> Self {
        Self {
            name,
            log,
            started: clock::now(),
            clients: 0,
            calls: 0,
            may_read_log: true,
            debugging: Debugging::default(),
        }
    }

    /// Answers a request about the server, or has it answered.
    pub(super) fn answer(
        &mut self,
        session: &mut ServerSession,
        connection: usize,
        request: &Request,
        calls: &Calls,
        lifecycle: &Lifecycle,
        progress: &dyn Fn() -> Option<Progress>,
    ) {
        match request {
            Request::Status { id } => {
                let status = Status { progress: progress(), ..self.status(calls, lifecycle) };
                session.status(*id, &status);
            }
            Request::Log { id, request } => {
                let limit = LogReply::text_bytes_max(session.client().message_bytes_max);
                session.log(*id, &self.log(request, limit));
            }
            Request::Debug { id, request } => {
                let limit = session.client().message_bytes_max;
                let question = Question {
                    connection,
                    id: *id,
                    request: request.clone(),
                    running: calls.under_way.shown(),
                    output_bytes_max: DebugReply::output_bytes_max(limit),
                };
                if let Err(why) = self.debugging.ask(question) {
                    session.debug(*id, &DebugReply::refused(why));
                }
            }
            // These are handled by the calls, or by the core.
            Request::Call { .. }
            | Request::Cancel { .. }
            | Request::Credit { .. }
            | Request::CallbackReply { .. }
            | Request::Methods { .. }
            | Request::Jobs { .. }
            | Request::Abort { .. } => {}
        }
    }

    /// The reply to a request for the log.
    fn log(&mut self, request: &LogRequest, limit: usize) -> LogReply {
        let Some(path) = self.log.path() else {
            return LogReply::Unreadable("it logs to no file, but to where it was started".into());
        };
        if !std::mem::take(&mut self.may_read_log) {
            return LogReply::Piece(read::put_off(request));
        }
        match read::piece(&path, request, limit) {
            Ok(piece) => LogReply::Piece(piece),
            Err(error) => LogReply::Unreadable(format!("its log cannot be read: {error}")),
        }
    }

    fn status(&self, calls: &Calls, lifecycle: &Lifecycle) -> Status {
        let running = calls.under_way.shown();
        Status {
            state: lifecycle.state(!calls.under_way.is_empty()),
            busy_s: running.as_ref().map(|(_, seconds)| *seconds),
            task: running.map(|(task, _)| task),
            queue: calls.waiting() as u64,
            calls: self.calls,
            clients: self.clients,
            uptime_s: clock::since(self.started).as_secs_f64(),
            cpu_s: platform::cpu_time().map(|used| used.as_secs_f64()),
            pid: u64::from(std::process::id()),
            rss_bytes: platform::resident_bytes(std::process::id()),
            name: self.name.as_ref().map(Name::to_string),
            call: calls.under_way.first().map(|call| call.number),
            progress: None,
        }
    }
}
