//! A connection in an event loop: nothing here waits, and all of it is called by the loop's thread.
//!
//! The loop calls [`Link::read_now`] when the socket is readable, hands [what has arrived](Link::take_news) to its
//! calls, and calls [`Link::flush_now`] after it has queued something and when the socket is writable again.

use std::sync::Arc;
use std::time::Duration;

use bgpy_proto::client::Event;
use bgpy_proto::{CallHead, CallKind, Payload, Status, Want};

use super::call::Call;
use super::link::Link;
use super::reading::WaitEnd;
use crate::clock;
use crate::error::{CallError, Lost};
use crate::platform;
use crate::sync::lock;
use crate::wait::Wait;

/// A request that is no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Whether the server responds.
    Ping,
    /// The server's status.
    Status,
}

impl Link {
    /// The number of the socket's descriptor.
    pub fn descriptor(&self) -> i64 {
        platform::number(&*self.socket).into()
    }

    /// Collects from now on for which calls something arrives.
    pub fn collect_news(&self) {
        lock(&self.state).session.collect_news();
    }

    /// The calls for which something has arrived, perhaps more than once.
    pub fn take_news(&self) -> Vec<u64> {
        lock(&self.state).session.take_news()
    }

    /// Whether the server has said goodbye, so that it answers no call that it has not read.
    pub fn has_said_goodbye(&self) -> bool {
        self.is_over()
    }

    /// Queues a call. Memory that its caller may change is copied unless the socket takes it at once.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn queue(
        self: &Arc<Self>,
        kind: CallKind,
        want: Want,
        head: &CallHead,
        mut payload: Payload,
    ) -> Result<Call, CallError> {
        // Dropped outside any lock: dropping it may need the GIL.
        let shared = payload.shared();
        if kind != CallKind::Exit {
            self.check_load()?;
        }
        if head.method.is_some() {
            self.check_services()?;
        }
        let segments = self.segments.as_ref().filter(|_| !payload.buffers.is_empty());
        let loans = segments.map(|segments| segments.lend(&mut payload));
        let mut state = lock(&self.state);
        if let Some(lost) = &state.lost {
            return Err(self.lost(lost.clone()));
        }
        let id =
            state.session.call_headed(kind, want, head, payload).map_err(CallError::Message)?;
        if !shared.is_empty() {
            let sent = self.send(&mut state.session.outbox);
            if let Err(kind) = sent {
                drop(state);
                return Err(self.lost(self.lose(Lost::Io(kind))));
            }
            while let Ok(true) = state.session.outbox.own_some() {}
        }
        drop(state);
        if let Some(loans) = loans {
            loans.sent();
        }
        let mut call = Call::new(self.clone(), id);
        call.is_stream = head.window.is_some();
        call.is_of_method = head.method.is_some();
        call.ends = kind == CallKind::Exit;
        call.ends_with_ack = want == Want::Ack;
        Ok(call)
    }

    /// Queues a question.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn queue_question(self: &Arc<Self>, question: Question) -> Result<Call, CallError> {
        let mut state = lock(&self.state);
        if let Some(lost) = &state.lost {
            return Err(self.lost(lost.clone()));
        }
        let id = match question {
            Question::Ping => state.session.ping(),
            Question::Status => state.session.status(),
        };
        drop(state);
        Ok(Call::new(self.clone(), id))
    }

    /// Writes what the socket takes; `true` if all that was queued is written.
    ///
    /// # Errors
    /// [`CallError::Lost`].
    pub fn flush_now(&self) -> Result<bool, CallError> {
        let mut state = lock(&self.state);
        let sent = self.send(&mut state.session.outbox);
        let is_empty = state.session.outbox.is_empty();
        drop(state);
        match sent {
            Ok(()) => Ok(is_empty),
            Err(kind) => {
                // What the server has sent before it closed the connection counts, perhaps its goodbye.
                self.hear_out();
                Err(self.lost(self.lose(Lost::Io(kind))))
            }
        }
    }

    /// Reads what is there, once; `false` if nothing was.
    ///
    /// # Errors
    /// [`CallError::Lost`].
    pub fn read_now(&self) -> Result<bool, CallError> {
        let mut reading = lock(&self.reading);
        reading.make_room();
        let read = self.read_placed(&mut reading, false).and_then(|placed| {
            if let Some(has_read) = placed {
                return Ok(has_read);
            }
            let outcome = reading.recv(&self.socket, self.segments.as_ref());
            self.digest(&mut reading, outcome)
        });
        if matches!(read, Ok(true)) {
            reading.heard = clock::now();
        }
        read.map_err(|lost| self.lost(lost))
    }

    /// Notes that somebody waits for the server from now on: [look after it](Self::keep_watch).
    pub fn begin_watch(&self) {
        lock(&self.reading).heard = clock::now();
    }

    /// Looks whether a silent server is still there. To be called again after that time as long as somebody waits.
    ///
    /// # Errors
    /// [`CallError::Lost`] if it is not.
    pub fn keep_watch(&self) -> Result<Duration, CallError> {
        match self.watch(&mut lock(&self.reading), &Wait::forever()) {
            Err(WaitEnd::Lost(reason)) => Err(self.lost(reason)),
            Ok(()) | Err(WaitEnd::Timeout | WaitEnd::Interrupted) => Ok(WATCH_EVERY),
        }
    }
}

/// How often a silent server is looked after.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// The answer to a [`Question`].
#[derive(Debug)]
pub enum Answer {
    /// The server responds.
    Pong,
    /// Its status.
    Status(Box<Status>),
}

impl Call {
    /// The answer to the question that this is, if it has arrived.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn try_answer(&mut self) -> Result<Option<Answer>, CallError> {
        let arrived = self.link.try_event(self.id);
        let Some(event) = arrived.map_err(|end| self.wait_ended(end, None))? else {
            return Ok(None);
        };
        match event {
            Event::Pong => self.done(Some(Answer::Pong)),
            Event::Status(status) => self.done(Some(Answer::Status(status))),
            event => Err(self.failed(event)),
        }
    }

    /// Gives the call up, and has the server interrupt it if it runs. Never waits.
    pub fn abandon(mut self) {
        self.was_interrupted = true;
    }

    /// The number by which [news](Link::take_news) name it.
    pub fn id(&self) -> u64 {
        self.id
    }
}
