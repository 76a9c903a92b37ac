//! Between JSON and what travels.

use bgpy::Value;
use serde_json::{Map, Number};

/// What a server gets for JSON.
pub(crate) fn from_json(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::UInt(value),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::Str(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(from_json).collect()),
        serde_json::Value::Object(items) => {
            let pair = |(key, item)| (Value::Str(key), from_json(item));
            Value::Map(items.into_iter().map(pair).collect())
        }
    }
}

/// What a server has answered, where JSON can hold it and says the same.
pub(crate) fn to_json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::UInt(value) => (*value).into(),
        Value::Float(value) => Number::from_f64(*value)?.into(),
        Value::Str(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(to_json).collect::<Option<Vec<_>>>()?.into(),
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
        assert_eq!(to_json(&from_json(all.clone())), Some(all));
    }

    #[test]
    fn what_json_cannot_hold_is_none() {
        for value in [
            Value::Tuple(Vec::new()),
            Value::Bytes(Vec::new()),
            Value::Float(f64::NAN),
            Value::Map(vec![(Value::Int(1), Value::Nil)]),
            Value::List(vec![Value::Set(Vec::new())]),
        ] {
            assert_eq!(to_json(&value), None, "{value:?}");
        }
    }
}
