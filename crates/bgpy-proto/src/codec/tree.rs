//! Encoding and decoding a [`Value`].

use super::text::{has_surrogates, is_decimal};
use super::{
    CodecError, Date, DateTime, Item, Member, Outside, Path, PathKind, Reader, Span, Time, Value,
    Zone, ext, write,
};
use crate::buffer::Buffer;
use crate::limits::DEPTH_MAX;

impl Value {
    /// Encodes the tree.
    ///
    /// # Errors
    /// [`CodecError::Depth`] if it is nested too deeply, [`CodecError::TooLong`] if a part of it
    /// has 2^32 or more bytes or items, [`CodecError::Extension`] if a part of it is invalid, such
    /// as February 30.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let mut out = Vec::new();
        self.encode_into(&mut out, DEPTH_MAX)?;
        Ok(out)
    }

    /// Decodes a message that consists of one value and has no buffers.
    ///
    /// # Errors
    /// [`CodecError`] if the bytes are not exactly one value.
    pub fn decode(message: &[u8]) -> Result<Self, CodecError> {
        Self::decode_with(message, &[])
    }

    /// Decodes a message that consists of one value, parts of which are in its buffers. Buffers of
    /// a pickle are left alone.
    ///
    /// # Errors
    /// [`CodecError`] if the bytes are not exactly one value with these buffers.
    pub fn decode_with(message: &[u8], buffers: &[Buffer]) -> Result<Self, CodecError> {
        let (mut reader, mut decoder) = (Reader::new(message), Decoder { buffers: buffers.iter() });
        let value = decoder.value(&mut reader, DEPTH_MAX)?;
        reader.finish()?;
        let is_pickle = matches!(value, Self::Pickle(_) | Self::Code(_));
        if is_pickle || decoder.buffers.len() == 0 { Ok(value) } else { Err(CodecError::Buffers) }
    }

    fn encode_into(&self, out: &mut Vec<u8>, depth: usize) -> Result<(), CodecError> {
        let depth = depth.checked_sub(1).ok_or(CodecError::Depth)?;
        match self {
            Self::Nil => write::nil(out),
            Self::Bool(value) => write::bool(out, *value),
            Self::Int(value) => write::int(out, *value),
            Self::UInt(value) => write::uint(out, *value),
            Self::Float(value) => write::f64(out, *value),
            Self::BigInt(bytes) if bytes.is_empty() => write::int(out, 0),
            Self::BigInt(bytes) => write::ext(out, ext::BIG_INT, bytes)?,
            Self::Str(text) => write::str(out, text)?,
            Self::Bytes(bytes) => write::bin(out, bytes)?,
            Self::Pickle(pickle) => write::ext(out, ext::PICKLE, pickle)?,
            Self::Code(code) => write::ext(out, ext::CODE, code)?,
            Self::List(items) => {
                write::array(out, items.len())?;
                all(items, out, depth)?;
            }
            Self::Map(pairs) => {
                write::map(out, pairs.len())?;
                for (key, value) in pairs {
                    key.encode_into(out, depth)?;
                    value.encode_into(out, depth)?;
                }
            }
            _ => {
                let start = out.len();
                let kind = self.append_contents(out, depth)?;
                write::ext_around(out, kind, start)?;
            }
        }
        Ok(())
    }

    /// Appends the contents of an extension, and returns its type.
    fn append_contents(&self, out: &mut Vec<u8>, depth: usize) -> Result<i8, CodecError> {
        let (kind, is_valid) = match self {
            Self::Tuple(items) => (all(items, out, depth).map(|()| ext::TUPLE)?, true),
            Self::Set(items) => (all(items, out, depth).map(|()| ext::SET)?, true),
            Self::FrozenSet(items) => (all(items, out, depth).map(|()| ext::FROZENSET)?, true),
            Self::Surrogates(text) => {
                out.extend_from_slice(text);
                (ext::SURROGATES, has_surrogates(text))
            }
            Self::ByteArray(bytes) => {
                out.extend_from_slice(bytes);
                (ext::BYTEARRAY, true)
            }
            Self::Complex(real, imaginary) => {
                [real, imaginary].iter().for_each(|part| out.extend(part.to_bits().to_be_bytes()));
                (ext::COMPLEX, true)
            }
            Self::Date(date) => {
                date.append(out);
                (ext::DATE, date.is_valid())
            }
            Self::Time(time) => {
                time.append(out);
                (ext::TIME, time.is_valid())
            }
            Self::DateTime(both) => {
                both.append(out);
                (ext::DATETIME, both.is_valid())
            }
            Self::Span(span) => {
                span.append(out);
                (ext::SPAN, span.is_valid())
            }
            Self::Zone(zone) => {
                zone.append(out);
                (ext::ZONE, zone.is_valid())
            }
            Self::Decimal(text) => {
                out.extend_from_slice(text.as_bytes());
                (ext::DECIMAL, is_decimal(text))
            }
            Self::Uuid(bytes) => {
                out.extend_from_slice(bytes);
                (ext::UUID, true)
            }
            Self::Path(path) => {
                out.push(path.kind as u8);
                let is_text = |part: &Value| matches!(part, Self::Str(_) | Self::Surrogates(_));
                let are_texts = path.parts.iter().all(is_text);
                (all(&path.parts, out, depth).map(|()| ext::PATH)?, are_texts)
            }
            Self::Member(member) => {
                write::str(out, &member.module)?;
                write::str(out, &member.class)?;
                member.value.encode_into(out, depth)?;
                (ext::MEMBER, true)
            }
            _ => unreachable!("the other kinds are no such extensions"),
        };
        if is_valid { Ok(kind) } else { Err(CodecError::Extension(kind)) }
    }

    /// Decodes an extension that contains no other value.
    fn atom(kind: i8, contents: &[u8]) -> Result<Self, CodecError> {
        let unknown = CodecError::Extension(kind);
        Ok(match kind {
            ext::BIG_INT if !contents.is_empty() => Self::BigInt(copied(contents)?),
            ext::PICKLE => Self::Pickle(copied(contents)?),
            ext::CODE if contents.len() >= 2 => Self::Code(copied(contents)?),
            ext::SURROGATES if has_surrogates(contents) => Self::Surrogates(copied(contents)?),
            ext::BYTEARRAY => Self::ByteArray(copied(contents)?),
            ext::COMPLEX => {
                let (real, imaginary) = complex(contents).ok_or(unknown)?;
                Self::Complex(real, imaginary)
            }
            ext::DATE => Self::Date(Date::read(contents).ok_or(unknown)?),
            ext::TIME => Self::Time(Time::read(contents).ok_or(unknown)?),
            ext::DATETIME => Self::DateTime(DateTime::read(contents).ok_or(unknown)?),
            ext::SPAN => Self::Span(Span::read(contents).ok_or(unknown)?),
            ext::ZONE => Self::Zone(Box::new(Zone::read(contents).ok_or(unknown)?)),
            ext::DECIMAL => {
                let text = std::str::from_utf8(contents).ok().filter(|text| is_decimal(text));
                Self::Decimal(copied_text(text.ok_or(unknown)?)?)
            }
            ext::UUID => Self::Uuid(contents.try_into().map_err(|_| unknown)?),
            _ => return Err(unknown),
        })
    }
}

/// Builds trees from items.
struct Decoder<'m> {
    /// Buffers that the message has not referred to yet.
    buffers: std::slice::Iter<'m, Buffer>,
}

impl Decoder<'_> {
    fn value(&mut self, reader: &mut Reader<'_>, depth: usize) -> Result<Value, CodecError> {
        let depth = depth.checked_sub(1).ok_or(CodecError::Depth)?;
        Ok(match reader.item()? {
            Item::Nil => Value::Nil,
            Item::Bool(value) => Value::Bool(value),
            Item::Int(value) => Value::Int(value),
            Item::UInt(value) => Value::UInt(value),
            Item::F64(value) => Value::Float(value),
            Item::Str(text) => Value::Str(copied_text(text)?),
            Item::Bin(bytes) => Value::Bytes(copied(bytes)?),
            Item::Array(items) => {
                let mut list = Vec::new();
                for _ in 0..items {
                    add(&mut list, self.value(reader, depth)?)?;
                }
                Value::List(list)
            }
            Item::Map(pairs) => {
                let mut map = Vec::new();
                for _ in 0..pairs {
                    add(&mut map, (self.value(reader, depth)?, self.value(reader, depth)?))?;
                }
                Value::Map(map)
            }
            Item::Ext(ext::TUPLE, items) => Value::Tuple(self.all(items, depth)?),
            Item::Ext(ext::SET, items) => Value::Set(self.all(items, depth)?),
            Item::Ext(ext::FROZENSET, items) => Value::FrozenSet(self.all(items, depth)?),
            Item::Ext(ext::PATH, contents) => Self::path(contents, depth)?,
            Item::Ext(ext::MEMBER, contents) => self.member(contents, depth)?,
            Item::Ext(ext::OUTSIDE, contents) => self.outside(contents)?,
            Item::Ext(kind, contents) => Value::atom(kind, contents)?,
        })
    }

    fn all(&mut self, contents: &[u8], depth: usize) -> Result<Vec<Value>, CodecError> {
        let (mut inner, mut items) = (Reader::new(contents), Vec::new());
        while !inner.is_at_end() {
            add(&mut items, self.value(&mut inner, depth)?)?;
        }
        Ok(items)
    }

    fn path(contents: &[u8], depth: usize) -> Result<Value, CodecError> {
        let broken = CodecError::Extension(ext::PATH);
        let (number, parts) = contents.split_first().ok_or(broken)?;
        let kind = PathKind::from_number(*number).ok_or(broken)?;
        // The parts of a path are in the message itself.
        let parts = Decoder { buffers: [].iter() }.all(parts, depth)?;
        if parts.iter().all(|part| matches!(part, Value::Str(_) | Value::Surrogates(_))) {
            Ok(Value::Path(Box::new(Path { kind, parts })))
        } else {
            Err(broken)
        }
    }

    fn member(&mut self, contents: &[u8], depth: usize) -> Result<Value, CodecError> {
        let mut inner = Reader::new(contents);
        let (Item::Str(module), Item::Str(class)) = (inner.item()?, inner.item()?) else {
            return Err(CodecError::Extension(ext::MEMBER));
        };
        let (module, class) = (copied_text(module)?, copied_text(class)?);
        let value = self.value(&mut inner, depth)?;
        inner.finish().map_err(|_| CodecError::Extension(ext::MEMBER))?;
        Ok(Value::Member(Box::new(Member { module, class, value })))
    }

    fn outside(&mut self, contents: &[u8]) -> Result<Value, CodecError> {
        let kind = Outside::read(contents).ok_or(CodecError::Extension(ext::OUTSIDE))?;
        let bytes = copied(self.buffers.next().ok_or(CodecError::Buffers)?)?;
        Ok(match kind {
            Outside::Text => Value::Str(String::from_utf8(bytes).map_err(|_| CodecError::Text)?),
            Outside::Bytes => Value::Bytes(bytes),
            Outside::ByteArray => Value::ByteArray(bytes),
        })
    }
}

/// A copy, if there is memory for it: the peer chose its length.
fn copied(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| CodecError::Memory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

fn copied_text(text: &str) -> Result<String, CodecError> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len()).map_err(|_| CodecError::Memory)?;
    copy.push_str(text);
    Ok(copy)
}

fn add<T>(items: &mut Vec<T>, item: T) -> Result<(), CodecError> {
    items.try_reserve(1).map_err(|_| CodecError::Memory)?;
    items.push(item);
    Ok(())
}

/// The parts of a complex number.
pub fn complex(contents: &[u8]) -> Option<(f64, f64)> {
    let (real, imaginary) = contents.split_first_chunk()?;
    let imaginary: &[u8; 8] = imaginary.try_into().ok()?;
    let double = |bytes: &[u8; 8]| f64::from_bits(u64::from_be_bytes(*bytes));
    Some((double(real), double(imaginary)))
}

fn all(items: &[Value], out: &mut Vec<u8>, depth: usize) -> Result<(), CodecError> {
    items.iter().try_for_each(|item| item.encode_into(out, depth))
}
