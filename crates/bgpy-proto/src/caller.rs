//! What a server knows of a call whose caller still waits.

use crate::callbacks::Callbacks;
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
    pub(crate) calls_method: bool,
    pub(crate) callbacks: Callbacks,
    /// Whether the caller has given up the stream, and waits only for the end.
    pub(crate) is_closed: bool,
}

impl Open {
    pub(crate) fn wants_response(&self) -> bool {
        self.want != Want::Ack && self.more.as_ref().is_none_or(|more| !more.is_closed)
    }

    pub(crate) fn calls_method(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.calls_method)
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.window.is_some())
    }

    pub(crate) fn window(&mut self) -> Option<&mut Window> {
        self.more.as_mut()?.window.as_mut()
    }

    /// Gives up the responses, if they are a stream. Returns how far it was ahead of the reader.
    pub(crate) fn close_stream(&mut self) -> u64 {
        let Some(more) = &mut self.more else { return 0 };
        let Some(window) = more.window.take() else { return 0 };
        more.is_closed = true;
        window.ahead()
    }
}

impl More {
    /// What a head means for a call that wants this.
    pub(crate) fn of(head: &CallHead, want: Want) -> Box<Self> {
        let window = head.window.filter(|_| want == Want::All).map(Window::new);
        let wants_progress = head.progress && want != Want::Ack;
        let calls_method = head.method.is_some();
        Box::new(Self { window, wants_progress, calls_method, ..Self::default() })
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
