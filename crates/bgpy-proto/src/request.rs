//! What clients ask of a server.

use std::sync::Arc;

use crate::abort::AbortRequest;
use crate::cause::Exceptions;
use crate::debug::DebugRequest;
use crate::delivered::Delivered;
use crate::failure::Failure;
use crate::frame::{Kind, Want};
use crate::head::CallHead;
use crate::jobs::JobsRequest;
use crate::log::LogRequest;

/// The three kinds of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// Send the tasks and run `init_task`.
    Init,
    /// Run `exec_task`.
    Exec,
    /// Run `exit_task` and end.
    Exit,
}

impl CallKind {
    pub(crate) fn frame_kind(self) -> Kind {
        match self {
            Self::Init => Kind::Init,
            Self::Exec => Kind::Exec,
            Self::Exit => Kind::Exit,
        }
    }
}

/// A client's request.
#[derive(Debug)]
pub enum Request {
    /// A call, which must be [acked](crate::ServerSession::ack) or [failed](crate::ServerSession::fail).
    Call {
        /// Its id.
        id: u64,
        /// Its kind.
        kind: CallKind,
        /// Which answers the caller wants.
        want: Want,
        /// What its caller says beside the message.
        head: Option<Arc<CallHead>>,
        /// Its message.
        message: Delivered,
    },
    /// Drop a call that is not running yet.
    Cancel {
        /// The call.
        id: u64,
        /// Whether to interrupt the call if it runs. The caller then waits for its end.
        interrupt: bool,
    },
    /// The reader of a stream has taken some of it.
    Credit {
        /// The call.
        id: u64,
    },
    /// What a callback has returned, or why it has not.
    CallbackReply {
        /// The call.
        id: u64,
        /// The number of the callback.
        number: u32,
        /// Its outcome.
        outcome: Result<Delivered, Box<(Failure, Exceptions)>>,
    },
    /// Cancel a call of any client.
    Abort {
        /// The request's id.
        id: u64,
        /// Which call.
        request: AbortRequest,
    },
    /// Answer with the status.
    Status {
        /// The request's id.
        id: u64,
    },
    /// Answer with a piece of the log.
    Log {
        /// The request's id.
        id: u64,
        /// Which piece.
        request: LogRequest,
    },
    /// Answer with the methods of the server's object.
    Methods {
        /// The request's id.
        id: u64,
    },
    /// Answer with the jobs.
    Jobs {
        /// The request's id.
        id: u64,
        /// Which ones.
        request: JobsRequest,
    },
    /// Answer a debug question.
    Debug {
        /// The request's id.
        id: u64,
        /// The question.
        request: DebugRequest,
    },
}
