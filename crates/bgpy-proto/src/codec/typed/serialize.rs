//! Converts Rust values to trees.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{TypedError, to_value};
use crate::codec::Value;

type Made = Result<Value, TypedError>;

/// Serializes to a tree.
pub struct ToValue;

/// The items of a container, and its variant if it belongs to one.
pub struct Items {
    items: Vec<Value>,
    variant: Option<&'static str>,
    is_tuple: bool,
}

/// The pairs of a container, and its variant if it belongs to one.
pub struct Pairs {
    pairs: Vec<(Value, Value)>,
    key: Option<Value>,
    variant: Option<&'static str>,
}

impl Items {
    fn of(is_tuple: bool, variant: Option<&'static str>) -> Self {
        Self { items: Vec::new(), variant, is_tuple }
    }

    fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), TypedError> {
        self.items.push(to_value(item)?);
        Ok(())
    }

    fn made(self) -> Made {
        let value = if self.is_tuple { Value::Tuple(self.items) } else { Value::List(self.items) };
        Ok(in_variant(self.variant, value))
    }
}

impl Pairs {
    fn of(variant: Option<&'static str>) -> Self {
        Self { pairs: Vec::new(), key: None, variant }
    }

    fn push<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), TypedError> {
        self.pairs.push((key.into(), to_value(value)?));
        Ok(())
    }

    fn made(self) -> Made {
        Ok(in_variant(self.variant, Value::Map(self.pairs)))
    }
}

fn in_variant(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(name) => Value::Map(vec![(name.into(), value)]),
        None => value,
    }
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = TypedError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Pairs;
    type SerializeStruct = Pairs;
    type SerializeStructVariant = Pairs;

    fn serialize_bool(self, value: bool) -> Made {
        Ok(Value::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Made {
        Ok(Value::Int(value.into()))
    }

    fn serialize_i16(self, value: i16) -> Made {
        Ok(Value::Int(value.into()))
    }

    fn serialize_i32(self, value: i32) -> Made {
        Ok(Value::Int(value.into()))
    }

    fn serialize_i64(self, value: i64) -> Made {
        Ok(Value::Int(value))
    }

    fn serialize_i128(self, value: i128) -> Made {
        Ok(match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => Value::Int(value),
            (_, Ok(value)) => Value::UInt(value),
            _ => big(value.to_le_bytes().to_vec()),
        })
    }

    fn serialize_u8(self, value: u8) -> Made {
        Ok(Value::Int(value.into()))
    }

    fn serialize_u16(self, value: u16) -> Made {
        Ok(Value::Int(value.into()))
    }

    fn serialize_u32(self, value: u32) -> Made {
        Ok(Value::Int(value.into()))
    }

    fn serialize_u64(self, value: u64) -> Made {
        Ok(value.into())
    }

    fn serialize_u128(self, value: u128) -> Made {
        match u64::try_from(value) {
            Ok(value) => Ok(value.into()),
            Err(_) => Ok(big([&value.to_le_bytes()[..], &[0]].concat())),
        }
    }

    fn serialize_f32(self, value: f32) -> Made {
        Ok(Value::Float(value.into()))
    }

    fn serialize_f64(self, value: f64) -> Made {
        Ok(Value::Float(value))
    }

    fn serialize_char(self, value: char) -> Made {
        Ok(value.to_string().into())
    }

    fn serialize_str(self, value: &str) -> Made {
        Ok(value.into())
    }

    fn serialize_bytes(self, value: &[u8]) -> Made {
        Ok(Value::Bytes(value.to_vec()))
    }

    fn serialize_none(self) -> Made {
        Ok(Value::Nil)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Made {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Made {
        Ok(Value::Nil)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Made {
        Ok(Value::Nil)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Made {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Made {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Made {
        Ok(in_variant(Some(variant), to_value(value)?))
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Items, TypedError> {
        Ok(Items::of(false, None))
    }

    fn serialize_tuple(self, _length: usize) -> Result<Items, TypedError> {
        Ok(Items::of(true, None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items, TypedError> {
        Ok(Items::of(true, None))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Items, TypedError> {
        Ok(Items::of(true, Some(variant)))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Pairs, TypedError> {
        Ok(Pairs::of(None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Pairs, TypedError> {
        Ok(Pairs::of(None))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Pairs, TypedError> {
        Ok(Pairs::of(Some(variant)))
    }
}

/// The shortest two's complement of an integer beyond 64 bits.
fn big(mut bytes: Vec<u8>) -> Value {
    while let [.., before, last @ (0 | 0xff)] = bytes[..]
        && (before >= 0x80) == (last == 0xff)
    {
        bytes.pop();
    }
    Value::BigInt(bytes)
}

/// The same methods under the names that serde has for each kind of container.
macro_rules! items {
    ($($name:ident . $step:ident),*) => {$(
        impl $name for Items {
            type Ok = Value;
            type Error = TypedError;

            fn $step<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), TypedError> {
                self.push(item)
            }

            fn end(self) -> Made {
                self.made()
            }
        }
    )*};
}

items!(
    SerializeSeq.serialize_element,
    SerializeTuple.serialize_element,
    SerializeTupleStruct.serialize_field,
    SerializeTupleVariant.serialize_field
);

macro_rules! fields {
    ($($name:ident),*) => {$(
        impl $name for Pairs {
            type Ok = Value;
            type Error = TypedError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), TypedError> {
                self.push(key, value)
            }

            fn end(self) -> Made {
                self.made()
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Pairs {
    type Ok = Value;
    type Error = TypedError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), TypedError> {
        self.key = Some(to_value(key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), TypedError> {
        let key =
            self.key.take().ok_or_else(|| TypedError::Type("a value without a key".into()))?;
        self.pairs.push((key, to_value(value)?));
        Ok(())
    }

    fn end(self) -> Made {
        self.made()
    }
}
