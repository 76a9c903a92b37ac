//! Properties of the payload codec.

use bgpy_proto::Buffer;
use bgpy_proto::codec::{
    CodecError, Date, DateTime, Item, Member, Path, PathKind, Reader, Span, Time, Value, Zone, ext,
    write,
};
use bgpy_proto::limits::DEPTH_MAX;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

#[path = "meter/mod.rs"]
mod meter;

/// Most bytes that a decoded tree takes for each byte of its message, while it grows. The worst is
/// a map of one pair: 3 bytes that become a vector with room for 4 pairs of 32-byte values.
const GROWTH_MAX: usize = 160;

/// The same cases in every run.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0xb6),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Any tree in the form that decoding gives: integers that fit an `i64` are `Int`.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (0_u32..64, any::<i64>()).prop_map(|(shift, wide)| Value::Int(wide >> shift)),
        (1 << 63..=u64::MAX).prop_map(Value::UInt),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        prop::collection::vec(any::<u8>(), 1..20).prop_map(Value::BigInt),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Pickle),
        ".{0,40}".prop_map(Value::Str),
        "[a-z]{250,260}".prop_map(Value::Str),
        "[a-z]{0,4}"
            .prop_map(|text| Value::Surrogates([text.as_bytes(), b"\xed\xa0\x80"].concat())),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::ByteArray),
        any::<(u64, u64)>()
            .prop_map(|(re, im)| Value::Complex(f64::from_bits(re), f64::from_bits(im))),
        any::<[u8; 16]>().prop_map(Value::Uuid),
        "-?[0-9]{1,20}(\\.[0-9]{1,5})?(E[+-][0-9]{1,3})?".prop_map(Value::Decimal),
        dates().prop_map(Value::Date),
        times().prop_map(Value::Time),
        (dates(), times()).prop_map(|(date, time)| Value::DateTime(DateTime { date, time })),
        (-999_999_999..=999_999_999, 0..86_400_u32, 0..1_000_000_u32).prop_map(
            |(days, seconds, microseconds)| Value::Span(Span { days, seconds, microseconds })
        ),
        zones().prop_map(|zone| Value::Zone(Box::new(zone))),
        (0..4_u8, prop::collection::vec(".{0,8}".prop_map(Value::Str), 0..4)).prop_map(
            |(kind, parts)| {
                let kind = PathKind::from_number(kind).expect("there are four");
                Value::Path(Box::new(Path { kind, parts }))
            }
        ),
    ];
    leaf.prop_recursive(6, 100, 20, |item| {
        prop_oneof![
            prop::collection::vec(item.clone(), 0..20).prop_map(Value::List),
            prop::collection::vec(item.clone(), 0..20).prop_map(Value::Tuple),
            prop::collection::vec(item.clone(), 0..20).prop_map(Value::Set),
            prop::collection::vec(item.clone(), 0..20).prop_map(Value::FrozenSet),
            prop::collection::vec((item.clone(), item.clone()), 0..18).prop_map(Value::Map),
            ("[a-z.]{0,9}", "[A-Z]{0,9}", item).prop_map(|(module, class, value)| {
                Value::Member(Box::new(Member { module, class, value }))
            }),
        ]
    })
}

fn dates() -> impl Strategy<Value = Date> {
    (1..=9999_u16, 1..=12_u8, 1..=28_u8).prop_map(|(year, month, day)| Date { year, month, day })
}

fn times() -> impl Strategy<Value = Time> {
    let clock = (0..24_u8, 0..60_u8, 0..60_u8, 0..1_000_000_u32, any::<bool>());
    (clock, prop::option::of(zones().prop_map(Box::new))).prop_map(
        |((hour, minute, second, microsecond, fold), zone)| Time {
            hour,
            minute,
            second,
            microsecond,
            fold,
            zone,
        },
    )
}

fn zones() -> impl Strategy<Value = Zone> {
    let offset = (-86_399_999_999..86_400_000_000_i64, prop::option::of(".{0,8}"));
    prop_oneof![
        offset.prop_map(|(microseconds, name)| Zone::Offset { microseconds, name }),
        "[A-Z][a-z]{1,8}/[A-Z]{1,5}".prop_map(Zone::Region),
    ]
}

/// Equality that tells one NaN from another and `0.0` from `-0.0`.
fn same(left: &Value, right: &Value) -> bool {
    let all = |left: &[Value], right: &[Value]| {
        left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
    };
    match (left, right) {
        (Value::Float(left), Value::Float(right)) => left.to_bits() == right.to_bits(),
        (Value::Complex(re, im), Value::Complex(right_re, right_im)) => {
            re.to_bits() == right_re.to_bits() && im.to_bits() == right_im.to_bits()
        }
        (Value::List(left), Value::List(right))
        | (Value::Tuple(left), Value::Tuple(right))
        | (Value::Set(left), Value::Set(right))
        | (Value::FrozenSet(left), Value::FrozenSet(right)) => all(left, right),
        (Value::Member(left), Value::Member(right)) => {
            left.module == right.module
                && left.class == right.class
                && same(&left.value, &right.value)
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(l, r)| same(&l.0, &r.0) && same(&l.1, &r.1))
        }
        _ => left == right,
    }
}

proptest! {
    #![proptest_config(config(4_000))]

    #[test]
    fn what_is_encoded_is_decoded(value in values()) {
        let bytes = value.encode().expect("the tree is flat enough");
        let decoded = Value::decode(&bytes).expect("what was encoded can be decoded");
        prop_assert!(same(&decoded, &value), "{decoded:?} != {value:?}");
        prop_assert_eq!(decoded.encode().expect("as before"), bytes);
    }

    #[test]
    fn a_cut_message_is_never_a_message(value in values(), at in any::<prop::sample::Index>()) {
        let bytes = value.encode().expect("the tree is flat enough");
        // A tuple is an extension whose length stands in front, so that its items cannot be cut.
        prop_assert_eq!(Value::decode(&bytes[..at.index(bytes.len())]), Err(CodecError::Truncated));
    }

    #[test]
    fn a_message_is_exactly_one_value(value in values(), more in any::<u8>()) {
        let mut bytes = value.encode().expect("the tree is flat enough");
        bytes.push(more);
        prop_assert_eq!(Value::decode(&bytes), Err(CodecError::Trailing));
    }
}

proptest! {
    #![proptest_config(config(40_000))]

    #[test]
    fn what_is_decoded_has_one_canonical_form(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = Value::decode(&bytes) {
            let canonical = value.encode().expect("it was no deeper when it came");
            prop_assert!(canonical.len() <= bytes.len() + 4 * count_floats(&value));
            let again = Value::decode(&canonical).expect("what was encoded can be decoded");
            prop_assert!(same(&again, &value));
            prop_assert_eq!(again.encode().expect("as before"), canonical);
        }
    }

    #[test]
    fn memory_follows_the_bytes_that_came(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let (peak, _) = meter::peak_bytes(|| Value::decode(&bytes));
        prop_assert!(peak <= GROWTH_MAX * bytes.len(), "{peak} bytes for {}", bytes.len());
    }
}

/// Only 4-byte floats grow when they are encoded again.
fn count_floats(value: &Value) -> usize {
    match value {
        Value::Float(_) => 1,
        Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::FrozenSet(items) => {
            items.iter().map(count_floats).sum()
        }
        Value::Member(member) => count_floats(&member.value),
        Value::Map(pairs) => pairs.iter().map(|(k, v)| count_floats(k) + count_floats(v)).sum(),
        _ => 0,
    }
}

/// `levels` containers, each the only item of the one around it.
fn nested(levels: usize, around: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    (0..levels).fold(vec![0xc0], |inner, _| around(inner))
}

fn list(inner: Vec<u8>) -> Vec<u8> {
    [vec![0x91], inner].concat()
}

fn tuple(inner: Vec<u8>) -> Vec<u8> {
    extension(ext::TUPLE, &inner)
}

fn set(inner: Vec<u8>) -> Vec<u8> {
    extension(ext::SET, &inner)
}

fn frozen_set(inner: Vec<u8>) -> Vec<u8> {
    extension(ext::FROZENSET, &inner)
}

fn member(inner: Vec<u8>) -> Vec<u8> {
    extension(ext::MEMBER, &[b"\xa1m\xa1C".to_vec(), inner].concat())
}

fn extension(kind: i8, contents: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write::ext(&mut out, kind, contents).expect("it is short");
    out
}

fn map_key(inner: Vec<u8>) -> Vec<u8> {
    [vec![0x81], inner, vec![0xc0]].concat()
}

fn map_value(inner: Vec<u8>) -> Vec<u8> {
    [vec![0x81, 0xc0], inner].concat()
}

#[test]
fn depth_is_limited_on_both_ways() {
    for around in [list, tuple, map_key, map_value, set, frozen_set, member] {
        // The innermost value counts as a level of its own.
        let deepest = nested(DEPTH_MAX - 1, around);
        let value = Value::decode(&deepest).expect("the limit itself is allowed");
        assert_eq!(value.encode(), Ok(deepest));
        assert_eq!(Value::decode(&nested(DEPTH_MAX, around)), Err(CodecError::Depth));
        assert_eq!(Value::List(vec![value]).encode(), Err(CodecError::Depth));
    }
    for bytes in [vec![0x91; 1 << 20], vec![0x81; 1 << 20], vec![0xdd; 1 << 20]] {
        assert!(matches!(Value::decode(&bytes), Err(CodecError::Depth | CodecError::Truncated)));
    }
}

#[test]
fn huge_announced_lengths_take_no_memory() {
    let heads: [&[u8]; 16] = [
        b"\xc5\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc8\xff\xff\x02",
        b"\xc9\xff\xff\xff\xff\x02",
        b"\xda\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xdc\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xde\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\x00\x01\x00\x00",
        b"\xdf\x00\x01\x00\x00",
        b"\x91\xdd\xff\xff\xff\xff",
        b"\x81\xc0\xdf\xff\xff\xff\xff",
        b"\x9f",
        b"\x8f",
    ];
    for head in heads {
        let (peak, outcome) = meter::peak_bytes(|| Value::decode(head));
        assert_eq!(outcome, Err(CodecError::Truncated), "{head:02x?}");
        assert!(peak <= GROWTH_MAX * head.len(), "{peak} bytes for {head:02x?}");
    }
    // A count that is just believable: as many items as bytes are left, each of them a container
    // that claims all the rest.
    let mut claims = Vec::new();
    for level in (0..DEPTH_MAX as u32 - 1).rev() {
        claims.push(0xdd);
        claims.extend((level * 5).to_be_bytes());
    }
    let (peak, outcome) = meter::peak_bytes(|| Value::decode(&claims));
    assert!(outcome.is_err());
    assert!(peak <= GROWTH_MAX * claims.len(), "{peak} bytes for {}", claims.len());
}

#[test]
fn a_count_that_cannot_be_true_is_refused_at_the_head() {
    // Whoever reads heads, as Python does, may reserve memory for the items of one.
    let head = |bytes| Reader::new(bytes).item();
    assert_eq!(head(b"\x92\xc0\xc0"), Ok(Item::Array(2)));
    assert_eq!(head(b"\x92\xc0"), Err(CodecError::Truncated));
    assert_eq!(head(b"\xdd\0\0\0\x02\xc0"), Err(CodecError::Truncated));
    assert_eq!(head(b"\x82\xc0\xc0\xc0\xc0"), Ok(Item::Map(2)));
    assert_eq!(head(b"\x82\xc0\xc0\xc0"), Err(CodecError::Truncated));
    assert_eq!(head(b"\xdf\xff\xff\xff\xff\xc0"), Err(CodecError::Truncated));
}

#[test]
fn long_texts_may_be_taken_unseen() {
    let text = |bytes| Reader::new(bytes).long_text();
    assert_eq!(text(b"\xda\0\x02\xff\xfe\xc0"), Ok(Some(&b"\xff\xfe"[..])));
    assert_eq!(text(b"\xdb\0\0\0\x01a"), Ok(Some(&b"a"[..])));
    assert_eq!(text(b"\xdb\xff\xff\xff\xffa"), Err(CodecError::Truncated));
    assert_eq!(text(b"\xda\0"), Err(CodecError::Truncated));
    let mut others = Reader::new(b"\xd9\x01a\xa1a\xc0");
    for item in [Item::Str("a"), Item::Str("a"), Item::Nil] {
        assert_eq!((others.long_text(), others.item()), (Ok(None), Ok(item)));
    }
    assert_eq!(others.long_text(), Ok(None));
}

#[test]
fn memory_of_the_worst_messages_is_bounded() {
    let worst: [fn(Vec<u8>) -> Vec<u8>; 7] =
        [list, tuple, map_key, map_value, set, frozen_set, member];
    for around in worst {
        for items in [1_u16, 1_000, 65_535] {
            let mut bytes = vec![0xdc];
            bytes.extend(items.to_be_bytes());
            bytes.extend(around(vec![0xc0]).repeat(usize::from(items)));
            let (peak, outcome) = meter::peak_bytes(|| Value::decode(&bytes));
            assert!(outcome.is_ok());
            assert!(peak <= GROWTH_MAX * bytes.len(), "{} bytes for each", peak / bytes.len());
        }
    }
}

#[test]
fn what_is_not_a_value_is_refused_by_name() {
    let cases: [(&[u8], CodecError); 9] = [
        (b"", CodecError::Truncated),
        (b"\xc1", CodecError::Marker),
        (b"\xa1\xff", CodecError::Text),
        (b"\xd4\x06\x00", CodecError::Extension(6)),
        (b"\xd4\xff\x00", CodecError::Extension(-1)),
        (b"\xc7\x00\x01", CodecError::Extension(ext::BIG_INT)),
        (b"\xd4\x02\x91", CodecError::Truncated),
        (b"\xd4\x02\xc1", CodecError::Marker),
        (b"\xc0\xc0", CodecError::Trailing),
    ];
    for (bytes, error) in cases {
        assert_eq!(Value::decode(bytes), Err(error), "{bytes:02x?}");
    }
}

#[test]
fn contents_that_cannot_be_are_refused_by_the_type_of_their_extension() {
    let cases: [(i8, &[&[u8]]); 13] = [
        (ext::SURROGATES, &[b"", b"text", b"\xff", b"\xed\xa0", b"\xed\xa0\x80\xff"]),
        (ext::COMPLEX, &[b"", &[0; 8], &[0; 15], &[0; 17]]),
        (ext::DATE, &[b"", &[7, 234, 1], &[7, 234, 2, 29], &[7, 234, 13, 1], &[0, 0, 1, 1]]),
        (ext::TIME, &[&[0; 7], &[24, 0, 0, 0, 0, 0, 0, 0], &[0, 0, 0, 2, 0, 0, 0, 0]]),
        (ext::TIME, &[&[0, 0, 60, 0, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 15, 0x42, 0x40]]),
        (ext::TIME, &[&[0; 9], &[0, 0, 0, 0, 0, 0, 0, 0, 2]]),
        (ext::DATETIME, &[b"", &[0; 12], &[7, 234, 1, 1, 0, 60, 0, 0, 0, 0, 0, 0]]),
        (ext::SPAN, &[&[0; 11], &[0; 13], &[0, 0, 0, 0, 0, 1, 0x51, 0x80, 0, 0, 0, 0]]),
        (ext::ZONE, &[b"", b"\0", &[0; 10], b"\x02", b"\x02\xff", b"\x03a", &[1; 9]]),
        (ext::DECIMAL, &[b"", b"1.", b"1_0", b" 1", b"\xd9\xa1", b"inf"]),
        (ext::UUID, &[b"", &[0; 15], &[0; 17]]),
        (ext::PATH, &[b"", b"\x04", b"\0\xc0", b"\0\xc4\0", b"\0\xa1a\x01"]),
        (ext::MEMBER, &[b"\xc0\xa1C\x01", b"\xa1m\xc0\x01", b"\xa1m\xa1C\x01\x02"]),
    ];
    for (kind, all) in cases {
        for contents in all {
            let decoded = Value::decode(&extension(kind, contents));
            assert_eq!(decoded, Err(CodecError::Extension(kind)), "{kind}: {contents:02x?}");
        }
    }
}

#[test]
fn texts_and_bytes_may_be_buffers() {
    let outside = |kind| extension(ext::OUTSIDE, &[kind]);
    let buffers =
        |all: &[&[u8]]| -> Vec<Buffer> { all.iter().map(|b| b.to_vec().into()).collect() };
    let decode = |message: &[u8], all: &[&[u8]]| Value::decode_with(message, &buffers(all));
    let all = [b"\x92".to_vec(), tuple([outside(0), outside(1)].concat()), outside(2)].concat();
    let (text, bytes) = (Value::from("grüße"), Value::Bytes(b"\xff".to_vec()));
    let expected =
        Value::List(vec![Value::Tuple(vec![text, bytes]), Value::ByteArray(b"".to_vec())]);
    let three: [&[u8]; 3] = ["grüße".as_bytes(), b"\xff", b""];
    assert_eq!(decode(&all, &three), Ok(expected));
    assert_eq!(decode(&all, &three[..2]), Err(CodecError::Buffers));
    assert_eq!(decode(&outside(0), &three[..2]), Err(CodecError::Buffers));
    assert_eq!(Value::decode(&outside(0)), Err(CodecError::Buffers));
    assert_eq!(decode(&outside(0), &[b"\xff"]), Err(CodecError::Text));
    assert_eq!(decode(&outside(3), &[b""]), Err(CodecError::Extension(ext::OUTSIDE)));
    assert_eq!(decode(&extension(ext::OUTSIDE, b""), &[b""]), Err(CodecError::Extension(5)));
    let path = extension(ext::PATH, &[&[0][..], &outside(0)].concat());
    assert_eq!(decode(&path, &[b"tmp"]), Err(CodecError::Buffers), "a path is in the message");
    let pickle = extension(ext::PICKLE, b"p");
    assert_eq!(decode(&pickle, &three), Ok(Value::Pickle(b"p".to_vec())));
}

#[test]
fn what_cannot_be_is_not_encoded_either() {
    let date = Date { year: 2026, month: 2, day: 30 };
    let cases = [
        (Value::Date(date), ext::DATE),
        (Value::Span(Span { days: 0, seconds: 86_400, microseconds: 0 }), ext::SPAN),
        (Value::Zone(Box::new(Zone::Region(String::new()))), ext::ZONE),
        (Value::Decimal("one".into()), ext::DECIMAL),
        (Value::Surrogates(b"text".to_vec()), ext::SURROGATES),
        (Value::Path(Box::new(Path { kind: PathKind::Posix, parts: vec![Value::Nil] })), ext::PATH),
    ];
    for (value, kind) in cases {
        assert_eq!(value.encode(), Err(CodecError::Extension(kind)), "{value:?}");
    }
}

#[test]
fn longer_forms_than_needed_are_understood() {
    let cases: [(&[u8], Value); 8] = [
        (b"\xcf\0\0\0\0\0\0\0\x05", Value::Int(5)),
        (b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff", Value::Int(-1)),
        (b"\xca\x3f\x80\0\0", Value::Float(1.0)),
        (b"\xdb\0\0\0\x01a", "a".into()),
        (b"\xc6\0\0\0\x01a", Value::Bytes(b"a".to_vec())),
        (b"\xdd\0\0\0\x01\xc0", Value::List(vec![Value::Nil])),
        (b"\xdf\0\0\0\0", Value::Map(Vec::new())),
        (b"\xc9\0\0\0\x01\x02\xc0", Value::Tuple(vec![Value::Nil])),
    ];
    for (bytes, value) in cases {
        assert_eq!(Value::decode(bytes).as_ref(), Ok(&value), "{bytes:02x?}");
    }
}
