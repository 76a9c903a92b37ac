//! What the model knows of one call: the events that are due, and those that may be left out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bgpy_proto::{CallHead, Delivered, Exceptions, Failure, FailureCode, Payload, Progress, Want};

use crate::contents::assert_exceptions;
use crate::model::{Due, assert_same};

/// A call, or a question.
pub struct Call {
    /// `None` for pings, and requests for the status, the log, debugging and aborts.
    pub want: Option<Want>,
    /// What the server knows beside the message.
    pub head: CallHead,
    /// Whether it is a call that the server has not ended, as far as the model has seen.
    pub open: bool,
    pub accepted: bool,
    /// Whether the client has cancelled or forgotten it.
    pub deaf: bool,
    pub due: VecDeque<Due>,
    /// What the responses of a stream count.
    pub sent: u64,
    taken: u64,
    /// Whether the server knows that the client has given up the stream.
    pub closed: bool,
    pub closing: Closing,
    /// Progress that was told and is not superseded by what was heard.
    pub progress: VecDeque<Progress>,
    /// Callbacks so far.
    next_callback: u32,
    /// Those that wait.
    pub callbacks: BTreeSet<u32>,
    /// Those that have returned on the client.
    pub returned: BTreeMap<u32, Result<Payload, Failure>>,
}

/// Whether the client has given up the responses of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    No,
    /// If the end had not arrived.
    Perhaps,
    Yes,
}

impl Call {
    pub fn new(want: Option<Want>) -> Self {
        Self {
            want,
            head: CallHead::default(),
            open: true,
            accepted: false,
            deaf: false,
            due: VecDeque::new(),
            sent: 0,
            taken: 0,
            closed: false,
            closing: Closing::No,
            progress: VecDeque::new(),
            next_callback: 0,
            callbacks: BTreeSet::new(),
            returned: BTreeMap::new(),
        }
    }

    /// The window, if it is a stream.
    pub fn window(&self) -> Option<u64> {
        self.head.window.filter(|_| self.want == Some(Want::All))
    }

    pub fn is_open_stream(&self) -> bool {
        self.open && !self.closed && self.window().is_some()
    }

    /// Whether a response is waited for.
    pub fn listens(&self) -> bool {
        self.open && !self.closed && self.want != Some(Want::Ack)
    }

    /// What was sent and not heard.
    pub fn unheard(&self) -> u64 {
        self.sent - self.taken
    }

    /// The server sends a response: never more than a window and one response ahead of the reader.
    pub fn send(&mut self, payload: &Payload) {
        if let Some(window) = self.window().filter(|_| !self.deaf) {
            let ahead = self.unheard();
            assert!(ahead == 0 || ahead < window, "{ahead} bytes ahead of a window of {window}");
        }
        self.sent += weight(payload);
    }

    /// The client hears a response. Others may follow only if the end had arrived when it gave them up.
    pub fn take(&mut self, payload: &Payload) {
        self.taken += weight(payload);
        self.closing = Closing::No;
    }

    /// The client cancels and waits for the end.
    pub fn give_up(&mut self) {
        if self.window().is_some() && self.closing != Closing::Yes {
            self.closing = if self.open { Closing::Yes } else { Closing::Perhaps };
        }
    }

    /// Takes off the responses that nobody hears.
    pub fn drop_given_up(&mut self) {
        let is_given_up =
            |due: Option<&Due>| matches!(due, Some(Due::Response { last: false, .. }));
        while self.closing != Closing::No && is_given_up(self.due.front()) {
            self.closing = Closing::Yes;
            self.due.pop_front();
        }
    }

    /// The client hears how far the call has come. It may miss some, and goes never back.
    pub fn check_progress(&mut self, heard: &Progress) {
        assert!(self.open || !self.due.is_empty(), "progress behind the end");
        let at = self.progress.iter().position(|told| told == heard);
        self.progress.drain(..=at.expect("it was told, and not before what was heard"));
    }

    /// The server calls a function of the client's.
    pub fn call_back(&mut self) -> u32 {
        let number = self.next_callback;
        self.next_callback += 1;
        self.callbacks.insert(number);
        number
    }

    /// The server hears of a credit.
    pub fn check_credit(&self) {
        assert!(self.is_open_stream(), "a credit for what is no stream");
        assert!(self.sent > 0, "a credit for nothing");
    }

    /// The server hears what a callback has returned.
    pub fn check_return(
        &mut self,
        number: u32,
        outcome: &Result<Delivered, Box<(Failure, Exceptions)>>,
    ) {
        assert!(self.open && self.callbacks.remove(&number), "callback {number} is not open");
        match (outcome, self.returned.remove(&number)) {
            (Ok(message), Some(Ok(due))) => assert_same(message, &due),
            (Err(failed), Some(Err(mut due))) => {
                assert_exceptions(&failed.1, &mut due);
                assert_eq!(failed.0, due);
            }
            // The session refuses it for a caller that has gone away.
            (Err(failed), None) => {
                assert!(self.deaf && failed.0.code == FailureCode::Refused);
            }
            (outcome, _) => panic!("callback {number} was not to return {outcome:?}"),
        }
    }
}

/// What a response counts, told a second time.
fn weight(payload: &Payload) -> u64 {
    let buffers = payload.buffers.iter().map(|buffer| 8 + buffer.len() as u64);
    24 + payload.data.len() as u64 + buffers.sum::<u64>()
}
