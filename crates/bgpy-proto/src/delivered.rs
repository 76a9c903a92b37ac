//! Messages that a session has delivered: the only ones that may be unpickled.

use crate::buffer::Buffer;
use crate::codec::{CodecError, Value};
use crate::frame::Payload;

/// A payload received in a session, hence from a peer that proved the token.
///
/// Only sessions create it, and `handed_over` passes it between processes.
/// Unpickling accepts only a `Delivered`, so that no bytes from before the handshake can reach the
/// unpickler.
#[derive(Debug)]
pub struct Delivered {
    payload: Payload,
}

impl Delivered {
    pub(crate) fn new(mut payload: Payload) -> Self {
        // A segment number is valid only on its connection and in its direction, while a buffer may
        // be sent on to any peer.
        for buffer in &mut payload.buffers {
            if let Buffer::Lent { memory, .. } = buffer {
                *buffer = Buffer::Shared(memory.clone());
            }
        }
        Self { payload }
    }

    /// A payload that another process of this user received in a session and passed on.
    #[doc(hidden)]
    pub fn handed_over(data: Vec<u8>, buffers: Vec<Vec<u8>>) -> Self {
        let buffers = buffers.into_iter().map(Buffer::Owned).collect();
        Self::new(Payload { data, buffers })
    }

    /// The encoded message.
    pub fn data(&self) -> &[u8] {
        &self.payload.data
    }

    /// The out-of-band buffers, in the order of their indices in the message.
    pub fn buffers(&self) -> &[Buffer] {
        &self.payload.buffers
    }

    /// The message as plain data.
    ///
    /// # Errors
    /// [`CodecError`] if it is not plain data.
    pub fn value(&self) -> Result<Value, CodecError> {
        Value::decode_with(&self.payload.data, &self.payload.buffers)
    }

    /// The encoded message and its buffers, to be owned by the objects made from them.
    pub fn into_parts(self) -> (Vec<u8>, Vec<Buffer>) {
        (self.payload.data, self.payload.buffers)
    }

    /// Size of the message and its buffers, in bytes.
    pub fn bytes(&self) -> u64 {
        self.payload.bytes()
    }
}
