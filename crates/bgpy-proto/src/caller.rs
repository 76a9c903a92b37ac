//! What a server knows of a call whose caller still waits.

use crate::flow::Window;
use crate::frame::Want;
use crate::head::CallHead;

/// A call whose caller still waits.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) want: Want,
    pub(crate) acked: bool,
    pub(crate) next_seq: u32,
    pub(crate) more: Option<Box<More>>,
}

/// What is known of an open call with a head.
#[derive(Debug, Default)]
pub(crate) struct More {
    /// How far its stream is ahead of the reader, if it is one.
    pub(crate) window: Option<Window>,
    pub(crate) wants_progress: bool,
    /// Callbacks so far.
    pub(crate) callbacks: u32,
    /// Whether the caller has given up the stream, and waits only for the end.
    pub(crate) is_closed: bool,
}

impl Open {
    pub(crate) fn wants_response(&self) -> bool {
        self.want != Want::Ack && self.more.as_ref().is_none_or(|more| !more.is_closed)
    }

    pub(crate) fn window(&mut self) -> Option<&mut Window> {
        self.more.as_mut()?.window.as_mut()
    }
}

impl More {
    pub(crate) fn of(head: &CallHead) -> Box<Self> {
        let window = head.window.map(Window::new);
        Box::new(Self { window, wants_progress: head.progress, ..Self::default() })
    }
}

/// Whether a task may respond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It may.
    Open,
    /// The stream is a window ahead of its reader: not before that has taken some of it.
    Full,
    /// The caller does not wait for a response (any more).
    Gone,
}
