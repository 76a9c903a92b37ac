//! Texts and bytes that are not in the message but in a buffer beside it.

/// What a buffer of a plain message is; an extension of one byte stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outside {
    /// A text in UTF-8.
    Text = 0,
    /// A byte string.
    Bytes = 1,
    /// A byte string that can be changed.
    ByteArray = 2,
}

impl Outside {
    /// Reads the contents of the extension.
    pub fn read(contents: &[u8]) -> Option<Self> {
        match contents {
            [0] => Some(Self::Text),
            [1] => Some(Self::Bytes),
            [2] => Some(Self::ByteArray),
            _ => None,
        }
    }
}
