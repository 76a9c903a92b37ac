//! Converts trees to Rust values.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::TypedError;
use crate::codec::Value;

/// A tree to deserialize from.
pub struct FromValue(pub Value);

impl<'de> IntoDeserializer<'de, TypedError> for Value {
    type Deserializer = FromValue;

    fn into_deserializer(self) -> FromValue {
        FromValue(self)
    }
}

impl<'de> Deserializer<'de> for FromValue {
    type Error = TypedError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypedError> {
        match self.0 {
            Value::Nil => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Int(value) => visitor.visit_i64(value),
            Value::UInt(value) => visitor.visit_u64(value),
            Value::BigInt(bytes) => match (to_i128(&bytes), to_u128(&bytes)) {
                (Some(value), _) => visitor.visit_i128(value),
                (_, Some(value)) => visitor.visit_u128(value),
                _ => Err(Error::custom("an integer beyond 128 bits")),
            },
            Value::Float(value) => visitor.visit_f64(value),
            Value::Str(text) | Value::Decimal(text) => visitor.visit_string(text),
            Value::Bytes(bytes) | Value::ByteArray(bytes) => visitor.visit_byte_buf(bytes),
            Value::Surrogates(_) => Err(Error::custom("a text that is not Unicode")),
            Value::List(items)
            | Value::Tuple(items)
            | Value::Set(items)
            | Value::FrozenSet(items) => {
                let mut items = SeqDeserializer::new(items.into_iter());
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Value::Map(pairs) => {
                let mut pairs = MapDeserializer::new(pairs.into_iter());
                let value = visitor.visit_map(&mut pairs)?;
                pairs.end()?;
                Ok(value)
            }
            Value::Complex(real, imaginary) => {
                visitor.visit_seq(SeqDeserializer::new([real, imaginary].into_iter()))
            }
            Value::Date(date) => visitor.visit_string(date.to_string()),
            Value::Time(time) => visitor.visit_string(time.to_string()),
            Value::DateTime(both) => visitor.visit_string(both.to_string()),
            Value::Zone(zone) => visitor.visit_string(zone.to_string()),
            Value::Span(span) => visitor.visit_f64(span.to_microseconds() as f64 / 1e6),
            Value::Uuid(bytes) => visitor.visit_string(hyphenated(&bytes)),
            Value::Path(path) => match path.to_text() {
                Some(text) => visitor.visit_string(text),
                None => Err(Error::custom("a path that is not Unicode")),
            },
            Value::Member(member) => Self(member.value).deserialize_any(visitor),
            Value::Pickle(_) | Value::Code(_) => {
                Err(Error::custom("a pickle, which nothing here can open"))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypedError> {
        match self.0 {
            Value::Nil => visitor.visit_none(),
            value => visitor.visit_some(Self(value)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, TypedError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TypedError> {
        let (name, inside) = match self.0 {
            Value::Map(mut pairs) if pairs.len() == 1 => {
                let (name, inside) = pairs.remove(0);
                (name, Some(inside))
            }
            Value::Member(member) => (member.value, None),
            name => (name, None),
        };
        visitor.visit_enum(Variant { name, inside })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A variant of an enum: its name and its contents.
struct Variant {
    name: Value,
    inside: Option<Value>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = TypedError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), TypedError> {
        let Self { name, inside } = self;
        Ok((seed.deserialize(FromValue(name))?, Self { name: Value::Nil, inside }))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = TypedError;

    fn unit_variant(self) -> Result<(), TypedError> {
        match self.inside {
            None | Some(Value::Nil) => Ok(()),
            Some(_) => Err(Error::custom("the variant holds nothing")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, TypedError> {
        seed.deserialize(FromValue(self.inside()?))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, TypedError> {
        FromValue(self.inside()?).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TypedError> {
        FromValue(self.inside()?).deserialize_any(visitor)
    }
}

impl Variant {
    fn inside(self) -> Result<Value, TypedError> {
        self.inside.ok_or_else(|| Error::custom("the variant holds something, and nothing came"))
    }
}

fn to_i128(bytes: &[u8]) -> Option<i128> {
    let fill = if *bytes.last()? >= 0x80 { 0xff } else { 0 };
    let (low, rest) = bytes.split_at(bytes.len().min(16));
    let mut wide = [fill; 16];
    wide[..low.len()].copy_from_slice(low);
    let value = i128::from_le_bytes(wide);
    let is_whole = rest.iter().all(|byte| *byte == fill) && (value < 0) == (fill != 0);
    is_whole.then_some(value)
}

fn to_u128(bytes: &[u8]) -> Option<u128> {
    let (low, rest) = bytes.split_at_checked(16)?;
    let is_whole = rest.last() == Some(&0) && rest.iter().all(|byte| *byte == 0);
    is_whole.then_some(u128::from_le_bytes(low.try_into().ok()?))
}

fn hyphenated(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
