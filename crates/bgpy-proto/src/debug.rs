//! What clients ask about the interpreter of a server: the stacks of its threads, and sessions in it.

use serde::{Deserialize, Serialize};

use crate::codec::{self, bytes};
use crate::failure::shortened;
use crate::limits::{DEBUG_LINE_BYTES_MAX, DEBUG_TEXT_BYTES_MAX};

/// Upper bound for the bytes of a [`DebugReply`] without its text, so that a reply fits its
/// receiver's limit. A shortened text has a note of fewer than 64 bytes.
const ROOM_BYTES: usize = 192;

/// A client's question, or its part of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum DebugRequest {
    /// The stack of every thread.
    Stacks,
    /// A session: at a breakpoint where a task waits, or else a prompt.
    Open {
        /// Whether to open a prompt even if a task waits at a breakpoint.
        #[serde(default)]
        prompt: bool,
    },
    /// What a session has printed, and perhaps a line for it.
    Console {
        /// The session.
        session: u64,
        /// How many bytes of its output the client has.
        after: u64,
        /// A line that the session reads, without its line feed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
    },
    /// Interrupt what a session runs.
    Interrupt {
        /// The session.
        session: u64,
    },
    /// End a prompt, or leave a task waiting at its breakpoint.
    Close {
        /// The session.
        session: u64,
    },
}

/// A server's reply to a debug request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DebugReply {
    /// The server does not do it.
    Refused {
        /// Why.
        error: String,
    },
    /// The stacks, for people.
    Stacks {
        /// The text.
        stacks: String,
    },
    /// A session was opened.
    Opened {
        /// Its number.
        opened: u64,
        /// Where its output begins that matters to a new client.
        after: u64,
        /// The breakpoint where a task waits; `None` for a prompt.
        place: Option<String>,
        /// What the session offers, for people.
        about: String,
    },
    /// What a session has printed, and what it does.
    Console {
        /// Its output, cut anywhere.
        #[serde(with = "bytes")]
        output: Vec<u8>,
        /// The position behind that, for the next request.
        after: u64,
        /// The prompt with which it reads a line now.
        reads: Option<String>,
        /// Whether it has ended, and this is the rest of its output.
        over: bool,
    },
    /// It is done.
    Done {
        /// Always true.
        done: bool,
    },
}

impl DebugRequest {
    /// Encodes the request.
    pub fn encode(&self) -> Vec<u8> {
        codec::to_vec(self).expect("a request is flat and short")
    }

    /// Decodes a request; `None` if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes).filter(|request| match request {
            Self::Console { input: Some(input), .. } => input.len() <= DEBUG_LINE_BYTES_MAX,
            _ => true,
        })
    }
}

impl DebugReply {
    /// A refusal.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused { error: why.into() }
    }

    /// The longest piece of a session's output in a reply to a receiver with this limit on messages.
    pub fn output_bytes_max(message_bytes_max: u64) -> usize {
        // A quarter is for the prompt.
        (message_bytes_max / 2).min(DEBUG_TEXT_BYTES_MAX as u64) as usize
    }

    /// Encodes the reply for a peer with a limit on messages; texts that are too long lose their
    /// middle.
    pub fn encode_within(&self, message_bytes_max: u64) -> Vec<u8> {
        let room = message_bytes_max.saturating_sub(ROOM_BYTES as u64) as usize;
        let line = |text: &String, share: usize| {
            shortened(text, (room / share).min(DEBUG_LINE_BYTES_MAX - ROOM_BYTES)).into_owned()
        };
        let told = match self {
            Self::Refused { error } => Self::Refused { error: line(error, 1) },
            Self::Stacks { stacks } => Self::Stacks {
                stacks: shortened(stacks, room.min(DEBUG_TEXT_BYTES_MAX - ROOM_BYTES)).into_owned(),
            },
            Self::Opened { opened, after, place, about } => Self::Opened {
                opened: *opened,
                after: *after,
                place: place.as_ref().map(|place| line(place, 4)),
                about: line(about, 2),
            },
            Self::Console { output, after, reads, over } => Self::Console {
                output: output.clone(),
                after: *after,
                reads: reads.as_ref().map(|prompt| line(prompt, 4)),
                over: *over,
            },
            Self::Done { done } => Self::Done { done: *done },
        };
        codec::to_vec(&told).expect("a reply is flat and short")
    }

    /// Decodes a reply; `None` if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let is_line = |text: &str| text.len() <= DEBUG_LINE_BYTES_MAX;
        codec::from_map(bytes).filter(|reply| match reply {
            Self::Refused { error } => is_line(error),
            Self::Stacks { stacks } => stacks.len() <= DEBUG_TEXT_BYTES_MAX,
            Self::Opened { place, about, .. } => {
                place.as_deref().is_none_or(is_line) && is_line(about)
            }
            Self::Console { output, reads, .. } => {
                output.len() <= DEBUG_TEXT_BYTES_MAX && reads.as_deref().is_none_or(is_line)
            }
            Self::Done { .. } => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Value;
    use crate::limits::{DEBUG_REQUEST_BYTES_MAX, MESSAGE_BYTES_LEAST};

    fn console(output: usize, prompt: usize) -> DebugReply {
        let reads = Some("ü".repeat(prompt));
        DebugReply::Console { output: vec![b'x'; output], after: u64::MAX, reads, over: false }
    }

    #[test]
    fn requests_survive_the_wire() {
        let input = Some("x".repeat(DEBUG_LINE_BYTES_MAX));
        for request in [
            DebugRequest::Stacks,
            DebugRequest::Open { prompt: true },
            DebugRequest::Console { session: u64::MAX, after: u64::MAX, input },
            DebugRequest::Console { session: 0, after: 0, input: None },
            DebugRequest::Interrupt { session: 1 },
            DebugRequest::Close { session: 2 },
        ] {
            let bytes = request.encode();
            assert!(bytes.len() <= DEBUG_REQUEST_BYTES_MAX);
            assert_eq!(DebugRequest::decode(&bytes), Some(request));
        }
        let opens = Value::from([("ask", Value::from("open"))]).encode().expect("it is flat");
        assert_eq!(DebugRequest::decode(&opens), Some(DebugRequest::Open { prompt: false }));
    }

    #[test]
    fn replies_survive_the_wire_and_fit_what_the_peer_takes() {
        let text = "ü".repeat(DEBUG_TEXT_BYTES_MAX);
        let place = Some(text.clone());
        let limits = [MESSAGE_BYTES_LEAST, 1 << 17, u64::MAX];
        for reply in [
            DebugReply::refused("no"),
            DebugReply::Stacks { stacks: "Thread".into() },
            DebugReply::Opened { opened: 1, after: 0, place: None, about: String::new() },
            console(10, 4),
            DebugReply::Done { done: true },
        ] {
            for limit in limits {
                assert_eq!(DebugReply::decode(&reply.encode_within(limit)), Some(reply.clone()));
            }
        }
        for limit in limits {
            for reply in [
                DebugReply::refused(text.clone()),
                DebugReply::Stacks { stacks: text.clone() },
                DebugReply::Opened {
                    opened: 1,
                    after: 9,
                    place: place.clone(),
                    about: text.clone(),
                },
                console(DebugReply::output_bytes_max(limit), DEBUG_LINE_BYTES_MAX),
            ] {
                let bytes = reply.encode_within(limit);
                assert!(bytes.len() as u64 <= limit, "{} for {limit}", bytes.len());
                assert!(DebugReply::decode(&bytes).is_some());
            }
        }
    }

    #[test]
    fn what_is_too_long_or_of_another_kind_is_refused() {
        let long = Some("x".repeat(DEBUG_LINE_BYTES_MAX + 1));
        let long = DebugRequest::Console { session: 0, after: 0, input: long };
        assert_eq!(DebugRequest::decode(&long.encode()), None);
        let map = |key: &'static str, value: Value| {
            Value::from([(key, value)]).encode().expect("it is flat")
        };
        for bytes in [map("ask", "else".into()), map("ask", "console".into()), b"\x80".to_vec()] {
            assert_eq!(DebugRequest::decode(&bytes), None);
        }
        let output = console(DEBUG_TEXT_BYTES_MAX + 1, 0);
        assert_eq!(DebugReply::decode(&output.encode_within(u64::MAX)), None);
        for bytes in [map("stacks", Value::Nil), map("opened", 1_u64.into()), b"\xc0".to_vec()] {
            assert_eq!(DebugReply::decode(&bytes), None);
        }
    }
}
