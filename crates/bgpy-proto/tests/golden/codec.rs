//! The payload codec at each boundary of width.

use bgpy_proto::codec::Value;

use crate::vectors::vectors;

#[test]
fn values() {
    let vectors = vectors(include_str!("codec.hex"));
    for (name, bytes) in &vectors {
        let value = value(name);
        assert!(value.encode().as_ref() == Ok(bytes), "{name} is not encoded as pinned");
        let decoded = Value::decode(bytes).expect("the vector is a message");
        // A NaN equals nothing, its bits do.
        assert!(decoded == value || name.starts_with("float 7ff"), "{name} is not decoded");
        assert!(decoded.encode().as_ref() == Ok(bytes), "{name} changes when it is passed on");
    }
    assert!(vectors.len() > 80, "only {} values are pinned", vectors.len());
}

/// The value that the name of a codec vector stands for.
fn value(name: &str) -> Value {
    let (kind, rest) = name.split_once(' ').unwrap_or((name, ""));
    let count = || rest.parse().expect("a number follows the kind");
    match kind {
        "nil" => Value::Nil,
        "false" => Value::Bool(false),
        "true" => Value::Bool(true),
        "int" => match rest.parse::<i64>() {
            Ok(value) => Value::Int(value),
            Err(_) => Value::UInt(rest.parse().expect("an integer of 64 bits")),
        },
        "float" => {
            Value::Float(f64::from_bits(u64::from_str_radix(rest, 16).expect("bits in hex")))
        }
        "str" => rest.parse().map_or_else(|_| rest.into(), |count| "a".repeat(count).into()),
        "bytes" => Value::Bytes(vec![b'b'; count()]),
        "pickle" => Value::Pickle(vec![b'p'; count()]),
        "list" => Value::List(vec![Value::Nil; count()]),
        "tuple" => Value::Tuple(vec![Value::Nil; count()]),
        "map" => Value::Map(vec![(Value::Bool(false), Value::Bool(true)); count()]),
        "big-int" => Value::BigInt(match rest {
            "2^64" => [&[0; 8][..], &[1]].concat(),
            "-2^63-1" => [&[0xff; 7][..], &[0x7f, 0xff]].concat(),
            "2^120" => [&[0; 15][..], &[1]].concat(),
            "2^1000" => [&[0; 125][..], &[1]].concat(),
            _ => panic!("which number is {rest}?"),
        }),
        "nested" => {
            let tuple = Value::Tuple(vec![Value::Int(1), Value::List(Vec::new())]);
            Value::from([("k", Value::List(vec![tuple, Value::Int(-1)]))])
        }
        _ => panic!("what is {name}?"),
    }
}
