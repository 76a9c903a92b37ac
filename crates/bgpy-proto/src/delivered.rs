use crate::buffer::Buffer;
use crate::codec::{CodecError, Value};
use crate::frame::Payload;

/// A payload that came through a session, hence from a peer that proved to know the token.
///
/// Sessions make it, and whoever hands over what a session has made. Whoever unpickles takes a `Delivered` and nothing else, which is what
/// keeps bytes from before the handshake out of the unpickler.
#[derive(Debug)]
pub struct Delivered {
    payload: Payload,
}

impl Delivered {
    pub(crate) fn new(mut payload: Payload) -> Self {
        // A number means something only on its connection and in its direction, while a buffer may
        // be sent on, to anybody.
        for buffer in &mut payload.buffers {
            if let Buffer::Lent { memory, .. } = buffer {
                *buffer = Buffer::Shared(memory.clone());
            }
        }
        Self { payload }
    }

    /// A payload that another process of this user received in a session, and has handed over.
    pub fn handed_over(data: Vec<u8>, buffers: Vec<Vec<u8>>) -> Self {
        let buffers = buffers.into_iter().map(Buffer::Owned).collect();
        Self::new(Payload { data, buffers })
    }

    /// The encoded message.
    pub fn data(&self) -> &[u8] {
        &self.payload.data
    }

    /// The out-of-band buffers, in the order in which the message refers to them.
    pub fn buffers(&self) -> &[Buffer] {
        &self.payload.buffers
    }

    /// The message as plain data.
    ///
    /// # Errors
    /// [`CodecError`] when it is none.
    pub fn value(&self) -> Result<Value, CodecError> {
        Value::decode_with(&self.payload.data, &self.payload.buffers)
    }

    /// The encoded message and its buffers, to be owned by what is made from them.
    pub fn into_parts(self) -> (Vec<u8>, Vec<Buffer>) {
        (self.payload.data, self.payload.buffers)
    }

    /// Size of the message and its buffers, in bytes.
    pub fn bytes(&self) -> u64 {
        self.payload.bytes()
    }
}
