//! The requests of a client that are not over, and what has arrived for them.

use std::collections::VecDeque;

use crate::client::Event;
use crate::failure::Failure;
use crate::flow::Reading;
use crate::frame::Want;
use crate::progress::Progress;

/// A request.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) asked: Asked,
    pub(crate) next_seq: u32,
    /// Events not polled yet. Most calls have one event at a time, which needs no allocation.
    pub(crate) first: Option<Event>,
    pub(crate) rest: VecDeque<Event>,
    /// Whether an answer has arrived, so that an ack would be too late.
    pub(crate) answered: bool,
    /// Whether the last event has arrived.
    pub(crate) ended: bool,
    pub(crate) more: Option<Box<More>>,
}

/// What is known of a call that is more than a question and an answer.
#[derive(Debug, Default)]
pub(crate) struct More {
    /// How far the stream has been read, if it is one.
    pub(crate) reading: Option<Reading>,
    /// The latest progress, unless it was polled: earlier ones do not matter.
    pub(crate) progress: Option<Progress>,
    /// Whether the caller has given up the responses, and waits only for the end.
    pub(crate) is_closing: bool,
}

/// The kinds of answers that fit a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Call(Want),
    Ping,
    Status,
    Log,
    Debug,
    Abort,
}

impl Pending {
    pub(crate) fn new(asked: Asked) -> Self {
        let rest = VecDeque::new();
        Self { asked, next_seq: 0, first: None, rest, answered: false, ended: false, more: None }
    }

    pub(crate) fn push(&mut self, event: Event) {
        if self.first.is_none() && self.rest.is_empty() {
            self.first = Some(event);
        } else {
            self.rest.push_back(event);
        }
    }

    /// Notes that the server has ended without reading the request. Who asks a question is told by
    /// the end of the connection.
    pub(crate) fn refuse(&mut self) {
        if self.ended || !matches!(self.asked, Asked::Call(_)) {
            return;
        }
        self.ended = true;
        self.push(Event::Failed { failure: Box::new(Failure::stopping()), object: None });
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.first.take().or_else(|| self.rest.pop_front());
        event.or_else(|| {
            let progress = self.more.as_mut()?.progress.take()?;
            Some(Event::Progress(Box::new(progress)))
        })
    }

    pub(crate) fn reading(&mut self) -> Option<&mut Reading> {
        self.more.as_mut()?.reading.as_mut()
    }

    /// Gives up the responses of a stream.
    pub(crate) fn close(&mut self) {
        if self.reading().is_some() {
            let is_kept =
                |event: &Event| !matches!(event, Event::Response { .. } | Event::NoMemory { .. });
            self.first = self.first.take().filter(is_kept);
            self.rest.retain(is_kept);
        }
        self.more.get_or_insert_default().is_closing = true;
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.is_closing)
    }
}
