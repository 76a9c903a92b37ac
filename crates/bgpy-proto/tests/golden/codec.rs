//! The payload codec at each boundary of width.

use bgpy_proto::codec::{Date, DateTime, Member, Path, PathKind, Span, Time, Value, Zone};

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
    assert!(vectors.len() > 125, "only {} values are pinned", vectors.len());
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
        "code" => Value::Code([&[3, 13][..], &vec![b'p'; count() - 2]].concat()),
        "surrogates" => Value::Surrogates(match rest {
            r"\ud800" => b"\xed\xa0\x80".to_vec(),
            r"a\udfffb" => b"a\xed\xbf\xbfb".to_vec(),
            _ => b"\xed\xa0\xbd\xed\xb8\x80\xc3\xbc".to_vec(),
        }),
        "bytearray" => Value::ByteArray(vec![b'b'; count()]),
        "set" => Value::Set(vec![Value::Nil; count()]),
        "frozenset" => Value::FrozenSet(vec![Value::Nil; count()]),
        "complex" => Value::Complex(1.5, -0.0),
        "decimal" => Value::Decimal(rest.to_owned()),
        "uuid" => Value::Uuid(std::array::from_fn(|index| index as u8)),
        "path" => Value::Path(Box::new(path(rest))),
        "member" => {
            let (module, class) = ("colours".to_owned(), "Box.Colour".to_owned());
            Value::Member(Box::new(Member { module, class, value: Value::Int(3) }))
        }
        _ => temporal(kind, rest).unwrap_or_else(|| panic!("what is {name}?")),
    }
}

fn path(rest: &str) -> Path {
    let (kind, parts) = match rest {
        "empty" => (0, Vec::new()),
        "surrogate" => (1, vec![Value::Surrogates(b"\xed\xb3\xbf".to_vec())]),
        _ => (rest.parse().expect("a number"), vec!["/".into(), "tmp".into()]),
    };
    Path { kind: PathKind::from_number(kind).expect("a kind of path"), parts }
}

fn temporal(kind: &str, rest: &str) -> Option<Value> {
    let zone = || match rest.rsplit_once("fold ").or(rest.split_once("12:00 ")) {
        Some((_, name)) => zone(name),
        None => zone(rest),
    };
    let last_day = Date { year: 9999, month: 12, day: 31 };
    let clock = |hour, minute, second, microsecond, fold| Time {
        hour,
        minute,
        second,
        microsecond,
        fold,
        zone: zone().map(Box::new),
    };
    Some(match (kind, rest) {
        ("date", "0001-01-01") => Value::Date(Date { year: 1, month: 1, day: 1 }),
        ("date", "2024-02-29") => Value::Date(Date { year: 2024, month: 2, day: 29 }),
        ("time", _) => Value::Time(clock(12, 0, 0, 0, false)),
        ("datetime", _) => {
            Value::DateTime(DateTime { date: last_day, time: clock(23, 59, 59, 999_999, true) })
        }
        ("span", "-1") => Value::Span(Span { days: -1, seconds: 86_399, microseconds: 999_999 }),
        ("span", "max") => Value::Span(Span { days: 999_999_999, seconds: 0, microseconds: 0 }),
        ("zone", _) => Value::Zone(Box::new(zone()?)),
        _ => return None,
    })
}

fn zone(name: &str) -> Option<Zone> {
    Some(match name {
        "UTC" => Zone::UTC,
        "-01:30 named" => {
            Zone::Offset { microseconds: -5_400_000_000, name: Some("home".to_owned()) }
        }
        "Europe/Berlin" => Zone::Region(name.to_owned()),
        _ => return None,
    })
}
