//! Texts and bytes in a buffer beside the message.

/// The type of such a buffer; an extension of one byte takes its place in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outside {
    /// A text in UTF-8.
    Text = 0,
    /// A byte string.
    Bytes = 1,
    /// A mutable byte string.
    ByteArray = 2,
}

impl Outside {
    /// Decodes the contents of the extension.
    pub fn read(contents: &[u8]) -> Option<Self> {
        match contents {
            [0] => Some(Self::Text),
            [1] => Some(Self::Bytes),
            [2] => Some(Self::ByteArray),
            _ => None,
        }
    }
}
