//! Memory that travels beside the data of a message.

use std::fmt;
use std::sync::Arc;

/// Memory that is sent from where it lies, and that a receiver may hand on to what it makes of it.
pub trait Memory: fmt::Debug + Send + Sync {
    /// Its bytes.
    fn as_slice(&self) -> &[u8];

    /// Where it begins. Memory that a message brought may be written to by its owner.
    fn as_mut_ptr(&self) -> *mut u8;
}

/// An out-of-band buffer.
#[derive(Debug, Clone)]
pub enum Buffer {
    /// Bytes of its own.
    Owned(Vec<u8>),
    /// Memory that lives elsewhere, and stays alive at least as long as this.
    Shared(Arc<dyn Memory>),
    /// Memory in a segment of the receiver's, which both sides have mapped.
    Lent {
        /// The segment's number.
        segment: u16,
        /// The part of it that is filled.
        memory: Arc<dyn Memory>,
    },
}

impl std::ops::Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(memory) | Self::Lent { memory, .. } => memory.as_slice(),
        }
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Buffer {}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(bytes)
    }
}
