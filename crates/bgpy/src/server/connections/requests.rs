//! Reading a connection, and taking in what its client asks for.

use bgpy_proto::Request;

use super::connection::Progress;
use crate::server::admission::Admission;
use crate::server::core::Core;

/// Bytes read from one connection before the others get their turn.
const READ_TURN_BYTES: usize = 256 << 10;

impl Core {
    /// Reads and serves one connection, for one turn.
    pub(crate) fn read(&mut self, token: usize, scratch: &mut [u8]) {
        let mut left = READ_TURN_BYTES / scratch.len();
        self.reporter.may_read_log = true;
        let outcome = loop {
            let Some(connection) = self.connections.get_mut(&token) else { return };
            if connection.is_paused() {
                // Read no requests from a peer that does not read its answers; `flush` resumes it.
                break Ok(());
            }
            let was_session = connection.is_session();
            let progress = match connection.read(scratch, &mut self.pending.replays) {
                Ok(progress) => progress,
                Err(over) => break Err(over),
            };
            if connection.is_session() && !was_session {
                self.pending.remove(token);
                connection.enable_keepalive();
                self.reporter.clients += 1;
                self.log.debug(format_args!("client connected: {}", connection.peer));
            } else if connection.has_answered_handshake() {
                self.pending.answered(token);
            }
            let was_ending = self.lifecycle.is_ending();
            let overload = connection.overloaded.clone();
            let mut others = Vec::new();
            if let Some(session) = connection.session() {
                while let Some(request) = session.poll() {
                    let mut admission = Admission {
                        calls: &mut self.calls,
                        jobs: &mut self.jobs,
                        lifecycle: &mut self.lifecycle,
                        overload: overload.as_deref(),
                        own: self.hello.instance,
                        generation: self.hello.generation,
                        acks_at_once: self.acks_at_once,
                    };
                    let Some(other) = admission.admit(session, token, request) else { continue };
                    let Some(other) = self.control.take(token, other, &mut self.calls) else {
                        continue;
                    };
                    if let Request::Methods { id } = other {
                        self.methods.ask(token, id);
                        continue;
                    }
                    if let Request::Abort { .. } | Request::Jobs { .. } = other {
                        others.push(other);
                        continue;
                    }
                    let first = self.calls.under_way.first().map(|call| call.number);
                    let progress = || self.control.progress(first?);
                    let (calls, lifecycle) = (&self.calls, &self.lifecycle);
                    self.reporter.answer(session, token, &other, calls, lifecycle, &progress);
                }
            }
            for other in others {
                match other {
                    Request::Abort { id, request } => self.abort(token, id, &request),
                    Request::Jobs { id, request } => self.tell_jobs(token, id, &request),
                    _ => {}
                }
            }
            self.tell_due_jobs();
            let Some(connection) = self.connections.get_mut(&token) else { return };
            // Retire before the ack of an EXIT is sent: its caller may start a successor at once.
            if self.lifecycle.has_exit() {
                if !was_ending {
                    let peer = &connection.peer;
                    self.log
                        .info(format_args!("stop requested by a client on {peer}: no more calls"));
                }
                self.retire();
            }
            left -= 1;
            match progress {
                Progress::More if left == 0 => {
                    self.mark_readable(token);
                    break Ok(());
                }
                Progress::More => {}
                Progress::Emptied | Progress::Nothing => break Ok(()),
            }
        };
        match outcome {
            Ok(()) => self.flush(token),
            // Send a refused peer its error, if any, before closing.
            Err(over) => self.give_up(token, over),
        }
    }
}
