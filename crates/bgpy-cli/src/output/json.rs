//! Converts between JSON and messages.

use bgpy::Value;
use serde_json::{Map, Number};

use crate::output::big_integer;

/// Longest integer that is converted to decimal digits. It takes a few seconds: the time grows with the
/// square of the length.
const WHOLE_BYTES_MAX: usize = 256 << 10;

/// The message for JSON.
///
/// # Errors
/// Names a number that is too large.
pub(crate) fn from_json(json: serde_json::Value) -> Result<Value, String> {
    Ok(match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => from_number(number.as_str())?,
        serde_json::Value::String(text) => Value::Str(text),
        serde_json::Value::Array(items) => {
            Value::List(items.into_iter().map(from_json).collect::<Result<_, _>>()?)
        }
        serde_json::Value::Object(items) => {
            let pair = |(key, item)| Ok((Value::Str(key), from_json(item)?));
            Value::Map(items.into_iter().map(pair).collect::<Result<_, String>>()?)
        }
    })
}

/// Integers are exact, whatever their size; other numbers are doubles.
fn from_number(text: &str) -> Result<Value, String> {
    if !text.contains(['.', 'e', 'E']) {
        return Ok(match (text.parse(), text.parse()) {
            (Ok(value), _) => Value::Int(value),
            (_, Ok(value)) => Value::UInt(value),
            _ => Value::BigInt(big_integer::from_decimal(text)),
        });
    }
    let value = text.parse().ok().filter(|value: &f64| value.is_finite());
    value.map(Value::Float).ok_or_else(|| {
        format!("{text} is too large for a float (at most about 1.8e308): send it as a string")
    })
}

/// The JSON for an answer of what JSON itself has, and tuples.
pub(crate) fn to_json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::UInt(value) => (*value).into(),
        Value::BigInt(bytes) if bytes.len() <= WHOLE_BYTES_MAX => {
            big_integer::to_decimal(bytes).parse::<Number>().ok()?.into()
        }
        Value::Float(value) => Number::from_f64(*value)?.into(),
        Value::Str(text) => text.as_str().into(),
        Value::List(items) | Value::Tuple(items) => {
            items.iter().map(to_json).collect::<Option<Vec<_>>>()?.into()
        }
        Value::Map(items) => {
            let pair = |(key, item): &(Value, Value)| match key {
                Value::Str(key) => Some((key.clone(), to_json(item)?)),
                _ => None,
            };
            items.iter().map(pair).collect::<Option<Map<_, _>>>()?.into()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_comes_back() {
        let all = json!({"b": [null, true, -1, u64::MAX, 0.5, "é"], "a": {}});
        assert_eq!(to_json(&from_json(all.clone()).unwrap()), Some(all));
    }

    #[test]
    fn numbers_are_what_they_say() {
        let read = |text: &str| from_json(serde_json::from_str(text).unwrap());
        for text in ["18446744073709551616", "-9223372036854775809", "[1e22,0.1,-5,0]"] {
            assert_eq!(
                to_json(&read(text).unwrap()).unwrap().to_string(),
                text.replace("1e22", "1e+22")
            );
        }
        assert_eq!(read("-0"), Ok(Value::Int(0)));
        assert_eq!(read("-0.0"), Ok(Value::Float(-0.0)));
        assert_eq!(read("1E2"), Ok(Value::Float(100.0)));
        let huge = "9".repeat(5000);
        assert_eq!(to_json(&read(&huge).unwrap()).unwrap().to_string(), huge);
        for beyond in ["1e400", "-1e400", "[1.0e309]", "{\"a\": 1e999999999999}"] {
            assert!(read(beyond).unwrap_err().contains("too large"), "{beyond}");
        }
    }

    #[test]
    fn what_json_cannot_hold_is_none() {
        for value in [
            Value::BigInt(vec![1; WHOLE_BYTES_MAX + 1]),
            Value::Bytes(Vec::new()),
            Value::Float(f64::NAN),
            Value::Map(vec![(Value::Int(1), Value::Nil)]),
            Value::List(vec![Value::Set(Vec::new())]),
        ] {
            assert_eq!(to_json(&value), None, "{value:?}");
        }
    }
}
