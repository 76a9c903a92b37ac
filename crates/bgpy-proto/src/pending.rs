//! The requests of a client that are not over, and what has arrived for them.

use std::collections::VecDeque;

use crate::abort::AbortReply;
use crate::callbacks::Callbacks;
use crate::client::Event;
use crate::debug::DebugReply;
use crate::delivered::Delivered;
use crate::error::ProtocolError;
use crate::failure::Failure;
use crate::flow::{Reading, weight};
use crate::frame::{Frame, Kind, Want, flag};
use crate::head::CallHead;
use crate::jobs::JobsReply;
use crate::log::LogReply;
use crate::methods::MethodsReply;
use crate::progress::Progress;
use crate::status::Status;

/// A request.
#[derive(Debug)]
pub(crate) struct Pending {
    asked: Asked,
    next_seq: u32,
    /// Events not polled yet. Most calls have one event at a time, which needs no allocation.
    first: Option<Event>,
    rest: VecDeque<Event>,
    /// Whether an answer has arrived, so that an ack would be too late.
    answered: bool,
    /// Whether the last event has arrived.
    ended: bool,
    more: Option<Box<More>>,
}

/// What is known of a call that is more than a question and an answer.
#[derive(Debug, Default)]
struct More {
    /// How far the stream has been read, if it is one.
    reading: Option<Reading>,
    wants_progress: bool,
    /// Whether the call is one of a method, whose last response may end it.
    calls_method: bool,
    /// The latest progress, unless it was polled: earlier ones do not matter.
    progress: Option<Progress>,
    callbacks: Callbacks,
    /// Whether the caller has given up the responses, and waits only for the end.
    is_closing: bool,
    /// Whether nobody hears the events. What the server waits for is still sent.
    is_forgotten: bool,
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
    Methods,
    Jobs,
}

/// What is to be sent because of an answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Due {
    Nothing,
    /// How much of the stream was taken.
    Credit(u64),
    /// The failure of a callback that cannot be run.
    Refusal(Failure),
}

impl Pending {
    pub(crate) fn new(asked: Asked) -> Self {
        let rest = VecDeque::new();
        Self { asked, next_seq: 0, first: None, rest, answered: false, ended: false, more: None }
    }

    /// Notes what the head of the call has asked for.
    pub(crate) fn expect(&mut self, head: &CallHead) {
        let is_stream = self.asked == Asked::Call(Want::All);
        let reading = head.window.filter(|_| is_stream).map(Reading::new);
        let (wants_progress, calls_method) = (head.progress, head.method.is_some());
        let more = More { reading, wants_progress, calls_method, ..More::default() };
        self.more = Some(Box::new(more));
    }

    /// Whether the caller still waits for the end of a call.
    pub(crate) fn is_open_call(&self) -> bool {
        matches!(self.asked, Asked::Call(_)) && !self.ended && !self.is_forgotten()
    }

    pub(crate) fn is_forgotten(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.is_forgotten)
    }

    /// Whether the last event has arrived and was polled.
    pub(crate) fn is_over(&self) -> bool {
        self.ended && (self.is_forgotten() || self.first.is_none() && self.rest.is_empty())
    }

    /// Notes that the server has ended without reading the request. Who asks a question is told by
    /// the end of the connection.
    pub(crate) fn refuse(&mut self) {
        if self.ended || !matches!(self.asked, Asked::Call(_)) {
            return;
        }
        self.ended = true;
        if !self.is_forgotten() {
            let failure = Box::new(Failure::stopping());
            self.push(Event::Failed { failure, exceptions: Box::default() });
        }
    }

    /// The next event, and the credit that is due because of it.
    pub(crate) fn poll(&mut self) -> (Option<Event>, Option<u64>) {
        let event = self.first.take().or_else(|| self.rest.pop_front());
        let event = event.or_else(|| {
            let progress = self.more.as_mut()?.progress.take()?;
            Some(Event::Progress(Box::new(progress)))
        });
        let credit = match &event {
            Some(Event::Response { message, .. }) if !self.ended => {
                let bytes = weight(message.bytes(), message.buffers().len());
                self.reading().and_then(|reading| reading.take(bytes))
            }
            _ => None,
        };
        (event, credit)
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

    /// Whether the server waits for what the caller takes of a stream.
    pub(crate) fn is_open_stream(&mut self) -> bool {
        !self.ended && self.reading().is_some()
    }

    /// Gives up the events of a stream, and returns the credit that is due.
    pub(crate) fn forget(&mut self) -> Option<u64> {
        (self.first, self.rest) = (None, VecDeque::new());
        let more = self.more.as_mut()?;
        (more.is_forgotten, more.progress) = (true, None);
        more.reading.as_mut().and_then(Reading::take_all)
    }

    pub(crate) fn has_callback(&self, number: u32) -> bool {
        self.more.as_ref().is_some_and(|more| more.callbacks.is_open(number))
    }

    /// Takes a callback off the open ones; `false` if it is none of them.
    pub(crate) fn close_callback(&mut self, number: u32) -> bool {
        self.more.as_mut().is_some_and(|more| more.callbacks.close(number))
    }

    /// Takes all open callbacks.
    pub(crate) fn take_callbacks(&mut self) -> Vec<u32> {
        self.more.as_mut().map_or_else(Vec::new, |more| more.callbacks.close_all())
    }

    /// Takes an answer in, if it fits.
    ///
    /// # Errors
    /// [`ProtocolError`]; the connection is unusable then.
    pub(crate) fn take_in(&mut self, frame: Frame) -> Result<Due, ProtocolError> {
        if self.ended {
            return Err(ProtocolError::Malformed("an answer after the last one"));
        }
        let Frame { kind, flags, seq, payload, missing, .. } = frame;
        let data = &payload.data;
        let event = match (kind, self.asked) {
            (Kind::Progress, Asked::Call(Want::First | Want::All))
                if self.wants_progress() && missing.is_none() =>
            {
                let progress = read(Progress::decode(data), "progress that says nothing")?;
                self.answered = true;
                if let Some(more) = self.more.as_mut().filter(|more| !more.is_forgotten) {
                    more.progress = Some(progress);
                }
                return Ok(Due::Nothing);
            }
            (Kind::Callback, Asked::Call(Want::First | Want::All)) => {
                let more = self.more.get_or_insert_default();
                more.callbacks.arrived(seq)?;
                let refusal = match missing {
                    _ if more.is_forgotten => Some(Failure::unheard()),
                    Some(missing) => {
                        let what = format!("the arguments of a callback, {} bytes", missing.bytes);
                        Some(Failure::memory("the client", what))
                    }
                    None => None,
                };
                if let Some(refusal) = refusal {
                    more.callbacks.close(seq);
                    self.answered = true;
                    return Ok(Due::Refusal(refusal));
                }
                Event::Callback { number: seq, message: Delivered::new(payload) }
            }
            (Kind::Ack, Asked::Call(_)) if !self.answered => Event::Accepted,
            (Kind::Response, Asked::Call(want @ (Want::First | Want::All)))
                if self.may_be_last(want, flags & flag::LAST != 0) =>
            {
                if seq != self.next_seq {
                    return Err(ProtocolError::Malformed("a response out of its order"));
                }
                self.next_seq = seq.wrapping_add(1);
                let error = flags & flag::USER_ERROR != 0;
                let last = flags & flag::LAST != 0;
                let buffers = missing.map_or(payload.buffers.len(), |it| it.buffers.into());
                let bytes = missing.map_or(payload.bytes(), |it| it.bytes);
                let (mut credit, mut is_heard) = (None, true);
                if let Some(more) = &mut self.more
                    && let Some(reading) = &mut more.reading
                {
                    reading.arrived(weight(bytes, buffers))?;
                    // What is not held here is taken.
                    if more.is_forgotten {
                        credit = reading.take_all();
                    } else if missing.is_some() && !more.is_closing {
                        credit = reading.take(weight(bytes, buffers));
                    }
                    // The last one also tells how the call has ended.
                    is_heard = !more.is_forgotten && (last || !more.is_closing);
                }
                (self.answered, self.ended) = (true, last);
                if is_heard {
                    self.push(match missing {
                        Some(_) => Event::NoMemory { bytes, last },
                        None => Event::Response { message: Delivered::new(payload), error, last },
                    });
                }
                return Ok(credit.map_or(Due::Nothing, Due::Credit));
            }
            (Kind::End, Asked::Call(_)) => Event::Ended { already: flags & flag::ALREADY != 0 },
            (Kind::Error, Asked::Call(_)) => match missing {
                Some(missing) => Event::NoMemory { bytes: missing.bytes, last: true },
                None => match Failure::received(data) {
                    Err(ProtocolError::Memory { bytes }) => Event::NoMemory { bytes, last: true },
                    received => {
                        let (failure, exceptions) = received?;
                        Event::Failed {
                            failure: Box::new(failure),
                            exceptions: Box::new(exceptions),
                        }
                    }
                },
            },
            (Kind::Pong, Asked::Ping) => Event::Pong,
            (Kind::StatusReply, Asked::Status) => {
                Event::Status(Box::new(read(Status::decode(data), "a status that says nothing")?))
            }
            (Kind::LogReply, Asked::Log) => {
                let reply = read(LogReply::decode(data), "a piece of a log that says nothing")?;
                Event::Log(Box::new(reply))
            }
            (Kind::DebugReply, Asked::Debug) => {
                let reply = read(DebugReply::decode(data), "a debug reply that says nothing")?;
                Event::Debug(Box::new(reply))
            }
            (Kind::MethodsReply, Asked::Methods) => {
                let reply = read(MethodsReply::decode(data), "methods that say nothing")?;
                Event::Methods(Box::new(reply))
            }
            (Kind::JobsReply, Asked::Jobs) => {
                let reply = read(JobsReply::decode(data), "jobs that say nothing")?;
                Event::Jobs(Box::new(reply))
            }
            (Kind::AbortReply, Asked::Abort) => {
                let reply =
                    read(AbortReply::decode(data), "a reply to an abort that says nothing")?;
                Event::Abort(Box::new(reply))
            }
            _ => {
                let unfit = ProtocolError::Malformed("an answer that does not fit its call");
                return Err(
                    missing.map_or(unfit, |missing| ProtocolError::Memory { bytes: missing.bytes })
                );
            }
        };
        self.answered = true;
        self.ended = match event {
            Event::Accepted => self.asked == Asked::Call(Want::Ack),
            Event::Callback { .. } => false,
            _ => true,
        };
        if !self.is_forgotten() {
            self.push(event);
        }
        Ok(Due::Nothing)
    }

    fn push(&mut self, event: Event) {
        if self.first.is_none() && self.rest.is_empty() {
            self.first = Some(event);
        } else {
            self.rest.push_back(event);
        }
    }

    fn reading(&mut self) -> Option<&mut Reading> {
        self.more.as_mut()?.reading.as_mut()
    }

    /// Whether a response may (or may not) be marked as the last.
    fn may_be_last(&self, want: Want, last: bool) -> bool {
        match want {
            Want::All => !last || self.more.as_ref().is_some_and(|more| more.calls_method),
            _ => last == (want == Want::First),
        }
    }

    fn wants_progress(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.wants_progress)
    }
}

/// What was decoded, if it was.
fn read<T>(decoded: Option<T>, otherwise: &'static str) -> Result<T, ProtocolError> {
    decoded.ok_or(ProtocolError::Malformed(otherwise))
}
