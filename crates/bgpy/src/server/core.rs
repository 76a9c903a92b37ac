//! Connections and calls of a server, behind one lock that is never held while waiting.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgpy_proto::handshake::is_question;
use bgpy_proto::methods::Runs;
use bgpy_proto::{Id, Psk, ServerHello};
use mio::{Interest, Registry as PollRegistry, Token as PollToken};

use super::calls::{Calls, Waiting};
use super::cancellation::Cancellation;
use super::connections::connection::{Connection, Over};
use super::connections::dead_peers::is_unreachable;
use super::connections::lingering::Lingering;
use super::connections::log_limiter::{Kind, LogLimiter};
use super::connections::overflow::Overflow;
use super::connections::pending::Pending;
use super::connections::ready_queue::{ByToken, ReadyQueue};
use super::connections::reserve::Reserve;
use super::control::CallControl;
use super::idle::IdleTimeout;
use super::jobs::Jobs;
use super::lifecycle::{Due, Lifecycle};
use super::methods::Methods;
use super::reactor::signal::Waker;
use super::registration::Registration;
use super::status::StatusReporter;
use crate::clock;
use crate::log::Log;
use crate::platform::{self, Private};
use crate::transport::Listener;

/// The first token of connections; smaller ones are listeners.
const FIRST_CONNECTION: usize = 16;

pub(super) struct Core {
    pub(super) poll_registry: Private<PollRegistry>,
    waker: Arc<Waker>,
    pub(super) listeners: Vec<Private<Listener>>,
    /// Connections that have not finished the handshake.
    pub(super) pending: Pending,
    /// Descriptors that let clients in when the process is out of them.
    pub(super) reserve: Reserve,
    /// Connections accepted only to be told that descriptors have run out.
    pub(super) overflow: Overflow,
    pub(super) connections: HashMap<usize, Connection, ByToken>,
    pub(super) next_connection: usize,
    pub(super) log_limiter: LogLimiter,
    /// Connections that may have bytes to read.
    pub(super) unread: ReadyQueue,
    pub(super) lingering: Lingering,
    /// Connections that may accept more of their queued output.
    pub(super) unwritten: ReadyQueue,
    pub(super) calls: Calls,
    pub(super) jobs: Jobs,
    pub(super) control: CallControl,
    pub(super) lifecycle: Lifecycle,
    pub(super) methods: Methods,
    pub(super) idle: IdleTimeout,
    /// Whether calls are acked on acceptance. Off while the executor is about to answer: the
    /// response implies the ack, which saves a write.
    pub(super) acks_at_once: bool,
    pub(super) reporter: StatusReporter,
    pub(super) psk: Psk,
    /// Whether clients without a token are accepted.
    pub(super) is_open: bool,
    pub(super) hello: ServerHello,
    pub(super) log: Log,
    pub(super) registration: Registration,
    pub(super) is_retired: bool,
}

/// What to do about the call whose turn has come.
pub(super) enum Next {
    /// It is for the executing thread.
    Execute(Waiting, Due),
    /// It is for a reader.
    Read(Waiting, Arc<Cancellation>),
}

/// What a core is made of.
pub(super) struct CoreParts {
    pub(super) poll_registry: Private<PollRegistry>,
    pub(super) listeners: Vec<Private<Listener>>,
    pub(super) psk: Psk,
    pub(super) is_open: bool,
    pub(super) hello: ServerHello,
    pub(super) log: Log,
    pub(super) registration: Registration,
    /// The idle timeout of the server.
    pub(super) idle_timeout: Option<Duration>,
    /// How many methods that only read run beside each other.
    pub(super) threads: usize,
}

impl Core {
    pub(super) fn new(parts: CoreParts, waker: Arc<Waker>) -> io::Result<Self> {
        let CoreParts {
            poll_registry,
            mut listeners,
            psk,
            is_open,
            hello,
            log,
            registration,
            idle_timeout,
            threads,
        } = parts;
        for (index, listener) in listeners.iter_mut().enumerate() {
            poll_registry.register(listener.source(), PollToken(index), Interest::READABLE)?;
        }
        let calls = Calls::default();
        Ok(Self {
            poll_registry,
            waker,
            pending: Pending::new(platform::descriptors_max()),
            reserve: Reserve::new(),
            overflow: Overflow::default(),
            listeners,
            connections: HashMap::default(),
            next_connection: FIRST_CONNECTION,
            log_limiter: LogLimiter::default(),
            unread: ReadyQueue::default(),
            unwritten: ReadyQueue::default(),
            lingering: Lingering::default(),
            reporter: StatusReporter::new(registration.name().cloned(), log.clone()),
            control: CallControl::of(&calls),
            calls,
            jobs: Jobs::default(),
            lifecycle: Lifecycle::new(),
            methods: Methods::new(threads),
            idle: IdleTimeout::new(idle_timeout),
            acks_at_once: false,
            psk,
            is_open,
            hello,
            log,
            registration,
            is_retired: false,
        })
    }

    /// Logs an event caused by an unauthenticated connection, or counts it.
    pub(super) fn note(&mut self, kind: Kind, what: &dyn fmt::Display) {
        let level = kind.level();
        if self.log.takes(level) && self.log_limiter.note(kind, what, clock::now()) {
            self.log.write(level, what);
        }
    }

    /// Logs the counted events that are due by `until`.
    pub(super) fn log_counted(&mut self, until: Instant) {
        let lines = self.log_limiter.tell(until).into_iter();
        lines.for_each(|(level, line)| self.log.write(level, line));
    }

    /// The server's identity.
    pub(super) fn instance(&self) -> Id {
        self.hello.instance
    }

    /// Notes that a connection may have bytes to read.
    pub(super) fn mark_readable(&mut self, token: usize) {
        if !self.pending.mark_readable(token) {
            self.unread.push(token);
        }
    }

    /// Closes a connection that is over, and logs why if that matters.
    pub(super) fn give_up(&mut self, token: usize, over: Over) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        drop(connection.flush(&self.poll_registry));
        match over {
            Over::Closed => self.close(token, "closed by the peer"),
            Over::Io(error) => {
                if is_unreachable(&error) {
                    self.log_dead_peer(token, &error.to_string());
                }
                self.close(token, &error.to_string());
            }
            Over::Protocol(error) if is_question(&error) => self.close(token, "answered"),
            Over::Protocol(error) => {
                let what = format!("connection from {} refused: {error}", connection.peer);
                self.note(Kind::refused(&error), &what);
                self.close(token, "refused");
            }
        }
    }

    /// Writes the queued output of a connection.
    pub(super) fn flush(&mut self, token: usize) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if connection.is_flushed() {
            return;
        }
        let was_paused = connection.is_paused();
        let more = match connection.flush(&self.poll_registry) {
            Ok(more) => more,
            // What the client has sent before it left still counts: perhaps it cancels its call.
            Err(Over::Io(error)) if has_left(&error) && connection.abandon_output() => {
                self.mark_readable(token);
                return self.waker.wake();
            }
            Err(over) => return self.give_up(token, over),
        };
        let resumed = was_paused && !connection.is_paused();
        if resumed {
            self.unread.push(token);
        }
        if more {
            self.unwritten.push(token);
        }
        if more || resumed {
            // The leader may be asleep without a timeout for this connection.
            self.waker.wake();
        }
    }

    /// Closes a connection with a reset where possible, so that its peer does not mistake EOF for
    /// an answer.
    pub(super) fn cut(&mut self, token: usize, why: &str) {
        if let Some(connection) = self.connections.get(&token) {
            connection.discard_unsent();
        }
        self.close(token, why);
    }

    pub(super) fn close(&mut self, token: usize, why: &str) {
        let Some(mut connection) = self.connections.remove(&token) else { return };
        connection.deregister(&self.poll_registry);
        connection.trim();
        let (is_session, peer) = (connection.is_session(), std::mem::take(&mut connection.peer));
        // The descriptor is free from here on.
        drop(connection);
        self.note_gone(token);
        self.control.gone(token, &mut self.calls);
        self.jobs.gone(token);
        let what = format_args!("connection from {peer} ended: {why}");
        if is_session {
            self.reporter.clients -= 1;
            self.log.debug(what);
        } else {
            self.pending.gone(token);
            self.note(Kind::Left, &what);
        }
    }

    /// Notes that a connection is closed.
    fn note_gone(&mut self, token: usize) {
        if self.overflow.remove(token) {
            self.reserve.close_overflow();
        }
        self.pending.try_again();
    }

    /// Logs that a client has vanished. A close by the client is not worth a line, but here others
    /// may look for the reason.
    pub(super) fn log_dead_peer(&self, token: usize, why: &str) {
        let connection = self.connections.get(&token).filter(|connection| connection.is_session());
        if let Some(Connection { peer, .. }) = connection {
            self.log.info(format_args!("the client at {peer} has vanished: {why}"));
        }
    }

    /// Wakes the leader, which may be asleep without a timeout.
    pub(super) fn wake_leader(&self) {
        self.waker.wake();
    }

    /// Whether there is work for the executing thread.
    pub(super) fn has_work(&self) -> bool {
        let may_go_on = self.calls.under_way.is_stirred() && self.calls.under_way.readers() == 0;
        self.lifecycle.is_stopping()
            || may_go_on
            || self.calls.has_due(|call, under_way| self.methods.may_begin(call, under_way))
    }

    /// Whether the executor may go on with the calls that it runs between others.
    pub(super) fn may_drive(&self) -> bool {
        let under_way = &self.calls.under_way;
        under_way.executor_is_busy() && under_way.readers() == 0
    }

    /// The call whose turn has come, which is under way from now on.
    pub(super) fn next_call(&mut self) -> Option<Next> {
        let Self { calls, methods, .. } = self;
        let call = calls.next(|call, under_way| methods.may_begin(call, under_way))?;
        let due = if call.is_expired() {
            Due::Expired
        } else if call.is_attached() && !self.connections.contains_key(&call.connection) {
            Due::Gone
        } else {
            self.lifecycle.due(call.kind)
        };
        let can_cancel = self.methods.can_cancel(&call);
        if due == Due::Task && self.methods.runs(&call) == Runs::Read {
            let cancellation = self.calls.under_way.begin_reading(&call, can_cancel);
            return Some(Next::Read(call, cancellation));
        }
        // While the stand-in polls, it does not check for long tasks.
        self.calls.under_way.begin(&call, can_cancel, self.acks_at_once);
        Some(Next::Execute(call, due))
    }

    /// Notes that the start has ended.
    pub(super) fn started(&mut self, initialized: bool) {
        self.lifecycle.started(initialized);
        self.idle.note_use();
    }

    /// The server's entry in the registry.
    pub(super) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Whether queued output is left.
    pub(super) fn has_backlog(&self) -> bool {
        self.connections.values().any(|connection| connection.backlog() > 0)
    }
}

/// Whether a write has failed because the peer has closed the connection.
fn has_left(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
