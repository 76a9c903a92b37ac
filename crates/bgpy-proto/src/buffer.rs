//! Buffers that travel beside the data of a message.

use std::fmt;
use std::sync::Arc;

/// Memory that is sent without a copy, and that a receiver may pass on to the object it makes.
pub trait Memory: fmt::Debug + Send + Sync {
    /// Its bytes.
    fn as_slice(&self) -> &[u8];

    /// The start address. The owner may write to memory that came with a message.
    fn as_mut_ptr(&self) -> *mut u8;
}

/// An out-of-band buffer.
#[derive(Debug, Clone)]
pub enum Buffer {
    /// Owned bytes.
    Owned(Vec<u8>),
    /// Memory owned elsewhere, which stays alive at least as long as this.
    Shared(Arc<dyn Memory>),
    /// Memory in a segment of the receiver, mapped by both sides.
    Lent {
        /// The segment's number.
        segment: u16,
        /// The filled part of it.
        memory: Arc<dyn Memory>,
    },
}

impl Buffer {
    /// Makes it cheap to clone.
    pub(crate) fn share(&mut self) {
        if let Self::Owned(bytes) = self {
            *self = Self::Shared(Arc::new(Kept(std::mem::take(bytes))));
        }
    }
}

/// Bytes that several buffers share.
#[derive(Debug)]
struct Kept(Vec<u8>);

impl Memory for Kept {
    fn as_slice(&self) -> &[u8] {
        &self.0
    }

    fn as_mut_ptr(&self) -> *mut u8 {
        self.0.as_ptr().cast_mut()
    }
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
