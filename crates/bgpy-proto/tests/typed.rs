//! Rust's own types as messages.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bgpy_proto::codec::{
    CodecError, Date, DateTime, Member, Path, PathKind, Span, Time, TypedError, Value, Zone,
    from_slice, from_value, to_value, to_vec,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Job {
    model: String,
    batch: u32,
    rate: f64,
    seed: Option<i64>,
    place: (i8, char),
    steps: Vec<Step>,
    names: BTreeMap<u64, String>,
    unit: (),
    wide: i128,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Step {
    Stop,
    Wait(u8),
    Move(i32, i32),
    Turn { left: bool },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Metres(f32);

fn job() -> Job {
    Job {
        model: "resnet".into(),
        batch: 32,
        rate: 0.001,
        seed: None,
        place: (-1, 'é'),
        steps: vec![Step::Stop, Step::Wait(3), Step::Move(1, -2), Step::Turn { left: true }],
        names: BTreeMap::from([(1, "one".into()), (u64::MAX, "most".into())]),
        unit: (),
        wide: -(1 << 100),
    }
}

fn arrives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let message = to_vec(value).unwrap();
    assert_eq!(&from_slice::<T>(&message).unwrap(), value);
}

#[test]
fn what_is_sent_arrives() {
    arrives(&job());
    arrives(&Metres(1.5));
    arrives(&vec![Some(1_u8), None]);
    for edge in [0, 1, -1, i128::MAX, i128::MIN, 1 << 63, 1 << 64, -(1 << 63) - 1, 255 << 64] {
        arrives(&edge);
    }
    for edge in [0, u128::MAX, 1 << 127, 1 << 64, 1 << 63] {
        arrives(&edge);
    }
}

#[test]
fn python_sees_dicts_tuples_and_lists() {
    let Value::Map(pairs) = to_value(&job()).unwrap() else { panic!("a struct is a dict") };
    let value = Value::Map(pairs);
    assert_eq!(value.get("model").and_then(Value::as_str), Some("resnet"));
    assert_eq!(value.get("seed"), Some(&Value::Nil));
    assert_eq!(value.get("place"), Some(&Value::Tuple(vec![Value::Int(-1), "é".into()])));
    let steps = value.get("steps").and_then(Value::items).unwrap();
    assert_eq!(steps[0], "Stop".into());
    assert_eq!(steps[1].get("Wait"), Some(&Value::Int(3)));
    assert_eq!(steps[3].get("Turn").and_then(|turn| turn.get("left")), Some(&true.into()));
}

#[test]
fn integers_take_their_shortest_form() {
    assert_eq!(to_value(&(1_u128 << 64)).unwrap(), Value::BigInt([&[0; 8][..], &[1]].concat()));
    let negative = Value::BigInt([&[0xff; 7][..], &[0x7f, 0xff]].concat());
    assert_eq!(to_value(&(-(1_i128 << 63) - 1)).unwrap(), negative);
    assert_eq!(to_value(&5_i128).unwrap(), Value::Int(5));
}

#[test]
fn what_only_python_has_is_read_as_what_comes_nearest() {
    let date = Date { year: 2026, month: 1, day: 2 };
    let zone = Some(Box::new(Zone::Region("Europe/Berlin".into())));
    let time = Time { hour: 3, minute: 4, second: 5, microsecond: 0, fold: false, zone };
    let texts = [
        (Value::Date(date), "2026-01-02"),
        (Value::DateTime(DateTime { date, time }), "2026-01-02T03:04:05[Europe/Berlin]"),
        (Value::Decimal("1.10".into()), "1.10"),
        (Value::Uuid([1; 16]), "01010101-0101-0101-0101-010101010101"),
        (Value::Path(Box::new(Path { kind: PathKind::Posix, parts: vec!["a".into()] })), "a"),
    ];
    for (value, text) in texts {
        assert_eq!(from_value::<String>(value).unwrap(), text);
    }
    let span = Value::Span(Span { days: -1, seconds: 86_399, microseconds: 500_000 });
    assert_eq!(from_value::<f64>(span), Ok(-0.5));
    assert_eq!(from_value::<(f64, f64)>(Value::Complex(1.0, -2.0)), Ok((1.0, -2.0)));
    assert_eq!(from_value::<Vec<u8>>(Value::Set(vec![Value::Int(1)])), Ok(vec![1]));
    let (module, class) = ("m".to_owned(), "Step".to_owned());
    let member = Value::Member(Box::new(Member { module, class, value: "Stop".into() }));
    assert_eq!(from_value::<Step>(member.clone()), Ok(Step::Stop));
    assert_eq!(from_value::<String>(member).as_deref(), Ok("Stop"));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let told = |value: Value| from_value::<u8>(value).unwrap_err().to_string();
    assert!(told(Value::Int(256)).contains("256"));
    assert!(told("a".into()).contains("u8"));
    assert!(told(Value::Pickle(vec![1])).contains("pickle"));
    assert!(told(Value::BigInt(vec![0xff; 17])).contains("-1"));
    assert!(told(Value::BigInt([&[0; 17][..], &[1]].concat())).contains("128 bits"));
    assert!(from_value::<(u8, u8)>(Value::List(vec![Value::Int(1); 3])).is_err());
    assert!(from_value::<Step>("Sleep".into()).is_err());
    assert!(from_value::<Step>("Wait".into()).is_err());
    assert_eq!(from_slice::<u8>(b"\xc1"), Err(TypedError::Codec(CodecError::Marker)));
    let mut deep = Value::Nil;
    for _ in 0..300 {
        deep = Value::List(vec![deep]);
    }
    assert_eq!(deep.encode(), Err(CodecError::Depth));
}
