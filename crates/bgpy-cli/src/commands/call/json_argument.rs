//! The argument of `exec_task`: JSON, or text.

use std::fs;
use std::io::{self, Read};

use bgpy::Value;

use crate::output::json::from_json;
use crate::platform;

/// Maximum nesting of lists and objects, which is that of `serde_json`.
const NESTED_MAX: usize = 127;

/// The value that an argument stands for.
///
/// # Errors
/// Why there is none.
pub(super) fn read(argument: &str, is_text: bool) -> Result<Value, String> {
    let text = match argument {
        "-" => {
            let mut text = String::new();
            let read = io::stdin().read_to_string(&mut text);
            read.map(|_| text).map_err(|error| format!("cannot read standard input: {error}"))?
        }
        word => match word.strip_prefix('@') {
            Some(path) => fs::read_to_string(path)
                .map_err(|error| format!("cannot read '{path}': {error}"))?,
            None => word.to_owned(),
        },
    };
    if is_text {
        return Ok(Value::Str(text));
    }
    from_json(serde_json::from_str(&text).map_err(|error| json_error(&error, argument))?)
}

/// Describes what is wrong with the JSON, and how to write what `argument` seems to mean.
fn json_error(error: &serde_json::Error, argument: &str) -> String {
    // serde_json offers no other way to recognize this error.
    if error.to_string().starts_with("recursion limit exceeded") {
        return format!("the JSON has lists and objects nested more than {NESTED_MAX} deep");
    }
    if argument == "-" || argument.starts_with('@') {
        return format!("not valid JSON: {error}; --text sends it as text");
    }
    if argument.trim().is_empty() {
        return "the argument is empty: use null for None, or --text ''".to_owned();
    }
    if let Some(json) = as_json(argument) {
        return format!("not valid JSON: {error}; write it as {}", platform::shell_quoted(&json));
    }
    if argument.starts_with(['{', '[']) && error.is_syntax() {
        let example = platform::shell_quoted(r#"{"name": "text"}"#);
        return format!(
            "not valid JSON: {error}; keys and texts need double quotes, as in {example}"
        );
    }
    if argument.starts_with(['{', '[', '"']) {
        return format!("not valid JSON: {error}");
    }
    let text = serde_json::Value::from(argument).to_string();
    format!("not valid JSON: {error}; for text, use {} or --text", platform::shell_quoted(&text))
}

/// What an argument would be in JSON that is written as in Python.
fn as_json(argument: &str) -> Option<String> {
    let words = [("'", "\""), ("None", "null"), ("True", "true"), ("False", "false")];
    let json = words.iter().fold(argument.to_owned(), |text, (from, to)| text.replace(from, to));
    serde_json::from_str::<serde_json::Value>(&json).is_ok().then_some(json)
}
