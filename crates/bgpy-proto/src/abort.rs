//! Cancelling a call of any client.

use serde::{Deserialize, Serialize};

use crate::codec;

/// Which call to cancel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbortRequest {
    /// The server's number for it; `None` for the one that runs.
    pub call: Option<u64>,
    /// The name of a job; the number does not count then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbortReply {
    /// What the server has done.
    pub outcome: Aborted,
    /// The call.
    pub call: Option<u64>,
    /// What the call runs, `exec_task` for example.
    pub task: Option<String>,
}

/// What a server does about an abort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aborted {
    /// It waited, and will not run.
    Removed,
    /// It runs, and is being interrupted.
    Interrupted,
    /// It runs, and cannot be interrupted.
    Refused,
    /// There is no such call, or none any more.
    Unknown,
}

impl AbortRequest {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        codec::to_vec(self).expect("an abort is flat and short")
    }

    /// Decodes it; `None` if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes)
    }
}

impl AbortReply {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        codec::to_vec(self).expect("the reply to an abort is flat and short")
    }

    /// Decodes it; `None` if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes)
    }
}
