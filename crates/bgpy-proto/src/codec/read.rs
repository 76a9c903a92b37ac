//! Reads MessagePack values one head at a time, checking every length against the remaining bytes.

use super::CodecError;

/// A cursor over an encoded message.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// One value, or the head of a container whose items follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Item<'a> {
    /// Nothing.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer that fits an `i64`.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// A double.
    F64(f64),
    /// A text.
    Str(&'a str),
    /// A byte string.
    Bin(&'a [u8]),
    /// An array of this many items, checked to be no more than the remaining bytes.
    Array(usize),
    /// A map of this many pairs, checked in the same way.
    Map(usize),
    /// An extension.
    Ext(i8, &'a [u8]),
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of a message.
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// Whether the whole message has been read.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Checks that the whole message has been read.
    ///
    /// # Errors
    /// [`CodecError::Trailing`].
    pub fn finish(&self) -> Result<(), CodecError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError::Trailing) }
    }

    /// Reads the next value or head.
    ///
    /// # Errors
    /// [`CodecError`]; the reader is unusable then.
    #[inline]
    pub fn item(&mut self) -> Result<Item<'a>, CodecError> {
        let marker = self.fixed::<1>()?[0];
        Ok(match marker {
            0x00..=0x7f => Item::Int(i64::from(marker)),
            0x80..=0x8f => self.map(usize::from(marker & 0x0f))?,
            0x90..=0x9f => self.array(usize::from(marker & 0x0f))?,
            0xa0..=0xbf => self.str(usize::from(marker & 0x1f))?,
            0xc0 => Item::Nil,
            0xc1 => return Err(CodecError::Marker),
            0xc2 => Item::Bool(false),
            0xc3 => Item::Bool(true),
            0xc4..=0xc6 => {
                let length = self.length(marker - 0xc4)?;
                Item::Bin(self.bytes(length)?)
            }
            0xc7..=0xc9 => {
                let length = self.length(marker - 0xc7)?;
                self.ext(length)?
            }
            0xca => Item::F64(f64::from(f32::from_be_bytes(self.fixed()?))),
            0xcb => Item::F64(f64::from_bits(u64::from_be_bytes(self.fixed()?))),
            0xcc => Item::Int(i64::from(self.fixed::<1>()?[0])),
            0xcd => Item::Int(i64::from(u16::from_be_bytes(self.fixed()?))),
            0xce => Item::Int(i64::from(u32::from_be_bytes(self.fixed()?))),
            0xcf => {
                let value = u64::from_be_bytes(self.fixed()?);
                i64::try_from(value).map_or(Item::UInt(value), Item::Int)
            }
            0xd0 => Item::Int(i64::from(i8::from_be_bytes(self.fixed()?))),
            0xd1 => Item::Int(i64::from(i16::from_be_bytes(self.fixed()?))),
            0xd2 => Item::Int(i64::from(i32::from_be_bytes(self.fixed()?))),
            0xd3 => Item::Int(i64::from_be_bytes(self.fixed()?)),
            0xd4..=0xd8 => self.ext(1 << (marker - 0xd4))?,
            0xd9..=0xdb => {
                let length = self.length(marker - 0xd9)?;
                self.str(length)?
            }
            0xdc | 0xdd => {
                let length = self.length(marker - 0xdc + 1)?;
                self.array(length)?
            }
            0xde | 0xdf => {
                let length = self.length(marker - 0xde + 1)?;
                self.map(length)?
            }
            0xe0..=0xff => Item::Int(i64::from(marker as i8)),
        })
    }

    /// Reads the bytes of a text of 256 bytes or more, if the next value is one, without validating
    /// them: for callers that validate UTF-8 when they build their texts.
    ///
    /// # Errors
    /// [`CodecError`]; the reader is unusable then.
    #[inline]
    pub fn long_text(&mut self) -> Result<Option<&'a [u8]>, CodecError> {
        let Some((marker @ (0xda | 0xdb), rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let length = self.length(marker - 0xd9)?;
        self.bytes(length).map(Some)
    }

    /// A length of 1, 2 or 4 bytes for widths 0, 1 and 2.
    fn length(&mut self, width: u8) -> Result<usize, CodecError> {
        Ok(match width {
            0 => usize::from(self.fixed::<1>()?[0]),
            1 => usize::from(u16::from_be_bytes(self.fixed()?)),
            _ => u32::from_be_bytes(self.fixed()?) as usize,
        })
    }

    fn array(&self, items: usize) -> Result<Item<'a>, CodecError> {
        if items > self.rest.len() { Err(CodecError::Truncated) } else { Ok(Item::Array(items)) }
    }

    fn map(&self, pairs: usize) -> Result<Item<'a>, CodecError> {
        // A key and a value take at least one byte each.
        if pairs > self.rest.len() / 2 { Err(CodecError::Truncated) } else { Ok(Item::Map(pairs)) }
    }

    fn str(&mut self, length: usize) -> Result<Item<'a>, CodecError> {
        std::str::from_utf8(self.bytes(length)?).map(Item::Str).map_err(|_| CodecError::Text)
    }

    fn ext(&mut self, length: usize) -> Result<Item<'a>, CodecError> {
        let kind = i8::from_be_bytes(self.fixed()?);
        Ok(Item::Ext(kind, self.bytes(length)?))
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }
}
