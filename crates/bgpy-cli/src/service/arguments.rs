//! Arguments of a method, as words of a command line.

use bgpy::Value;
use bgpy::codec::{Path, PathKind};
use bgpy::methods::{Method, MethodKind, Parameter, ParameterKind};

use super::signature::signature;
use crate::origin::is_identifier;
use crate::output::json::from_json;

/// Annotations whose values are texts as they stand.
const TEXTS: [&str; 4] = ["str", "str | None", "None | str", "Optional[str]"];

/// The message of a call with such arguments.
///
/// # Errors
/// What does not fit, with the signature.
pub(crate) fn message(method: &Method, words: &[String]) -> Result<Value, String> {
    Arguments::read(method, words)
        .map(Arguments::message)
        .map_err(|reason| format!("{reason}: {}", signature(method)))
}

/// Whether a word is `NAME=VALUE` for a parameter: the name and the value.
pub(crate) fn named<'a>(parameters: &[Parameter], word: &'a str) -> Option<(&'a str, &'a str)> {
    let (name, value) = word.split_once('=')?;
    let takes = |parameter: &Parameter| match parameter.kind {
        ParameterKind::Any | ParameterKind::Keyword => parameter.name == name,
        ParameterKind::Keywords => is_identifier(name),
        ParameterKind::Positional | ParameterKind::Rest => false,
    };
    parameters.iter().any(takes).then_some((name, value))
}

#[derive(Debug, Default, PartialEq)]
struct Arguments {
    by_position: Vec<Value>,
    by_name: Vec<(String, Value)>,
}

impl Arguments {
    fn read(method: &Method, words: &[String]) -> Result<Self, String> {
        if method.kind == MethodKind::Property && !words.is_empty() {
            return Err("a property takes no arguments".into());
        }
        let mut arguments = Self::default();
        let Some(parameters) = &method.parameters else {
            for word in words {
                arguments.by_position.push(value("an argument", word, None)?);
            }
            return Ok(arguments);
        };
        for word in words {
            arguments.take(parameters, word)?;
        }
        arguments.check(parameters)?;
        Ok(arguments)
    }

    fn take(&mut self, parameters: &[Parameter], word: &str) -> Result<(), String> {
        if let Some((name, text)) = named(parameters, word) {
            if self.by_name.iter().any(|(other, _)| other == name) {
                return Err(format!("{name} is given twice"));
            }
            let is_meant =
                |it: &&Parameter| it.kind != ParameterKind::Positional && it.name == name;
            let found = parameters.iter().find(is_meant);
            let found = found.or_else(|| of_kind(parameters, ParameterKind::Keywords));
            self.by_name.push((name.to_owned(), value(name, text, annotation(found))?));
            return Ok(());
        }
        if let Some((name, meant)) = misspelt(parameters, word) {
            return Err(format!("there is no parameter {name}; did you mean {meant}?"));
        }
        let at = self.by_position.len();
        let found = by_position(parameters).nth(at);
        let found = found.or_else(|| of_kind(parameters, ParameterKind::Rest));
        let Some(parameter) = found else {
            let why = match word.split_once('=') {
                Some((name, _)) if is_identifier(name) => format!("there is no parameter {name}"),
                _ if at == 0 => "it takes no arguments by position".to_owned(),
                _ if at == 1 => "it takes one argument by position at most".to_owned(),
                _ => format!("it takes {at} arguments by position at most"),
            };
            return Err(why);
        };
        self.by_position.push(value(&parameter.name, word, annotation(found))?);
        Ok(())
    }

    /// Checks that every parameter has one value.
    fn check(&self, parameters: &[Parameter]) -> Result<(), String> {
        let is_named = |parameter: &&Parameter| {
            parameter.kind != ParameterKind::Positional
                && self.by_name.iter().any(|(name, _)| *name == parameter.name)
        };
        let filled = self.by_position.len();
        if let Some(twice) = by_position(parameters).take(filled).find(is_named) {
            return Err(format!("{} is given by position and by name", twice.name));
        }
        let by_name = parameters.iter().filter(|it| it.kind == ParameterKind::Keyword);
        let missing = by_position(parameters).skip(filled).chain(by_name);
        let missing = missing.filter(|it| it.default.is_none() && !is_named(it));
        let missing: Vec<_> = missing.map(|parameter| parameter.name.as_str()).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!("missing {}", missing.join(", "))),
        }
    }

    fn message(self) -> Value {
        let by_position = Value::Tuple(self.by_position);
        if self.by_name.is_empty() {
            return by_position;
        }
        let by_name = self.by_name.into_iter().map(|(name, value)| (Value::Str(name), value));
        Value::List(vec![by_position, Value::Map(by_name.collect())])
    }
}

/// The name in a word `NAME=VALUE` that is none of a parameter, but much like one, and that parameter.
fn misspelt<'a>(parameters: &'a [Parameter], word: &'a str) -> Option<(&'a str, &'a str)> {
    let (name, _) = word.split_once('=').filter(|(name, _)| is_identifier(name))?;
    let kinds = [ParameterKind::Any, ParameterKind::Keyword];
    let names = parameters.iter().filter(|it| kinds.contains(&it.kind)).map(|it| it.name.as_str());
    let distance = |other: &&str| strsim::osa_distance(other, name);
    let meant = names.min_by_key(distance)?;
    // Of short names, most differ by as little.
    (distance(&meant) <= name.len() / 3).then_some((name, meant))
}

fn by_position(parameters: &[Parameter]) -> impl Iterator<Item = &Parameter> {
    let kinds = [ParameterKind::Positional, ParameterKind::Any];
    parameters.iter().filter(move |parameter| kinds.contains(&parameter.kind))
}

fn of_kind(parameters: &[Parameter], kind: ParameterKind) -> Option<&Parameter> {
    parameters.iter().find(|parameter| parameter.kind == kind)
}

/// An annotation without what differs between ways to write the same.
fn annotation(parameter: Option<&Parameter>) -> Option<&str> {
    let text = parameter?.annotation.as_deref()?.trim_matches(['\'', '"']);
    Some(text.strip_prefix("typing.").unwrap_or(text))
}

/// What a text stands for, given the annotation of its parameter.
fn value(name: &str, text: &str, annotation: Option<&str>) -> Result<Value, String> {
    let annotation = annotation.unwrap_or_default();
    if TEXTS.contains(&annotation) {
        return Ok(Value::Str(text.to_owned()));
    }
    if annotation.rsplit('.').next() == Some("Path") {
        let kind = if cfg!(windows) { PathKind::Windows } else { PathKind::Posix };
        return Ok(Value::Path(Box::new(Path { kind, parts: vec![Value::Str(text.to_owned())] })));
    }
    let value = match (text, serde_json::from_str(text)) {
        (_, Ok(json)) => from_json(json)?,
        ("True", _) => Value::Bool(true),
        ("False", _) => Value::Bool(false),
        ("None", _) => Value::Nil,
        (_, Err(_)) => match text.parse() {
            Ok(number) if annotation == "float" => Value::Float(number),
            _ => Value::Str(text.to_owned()),
        },
    };
    let is_int = matches!(value, Value::Int(_) | Value::UInt(_) | Value::BigInt(_));
    let fits = match annotation {
        "int" => is_int,
        "float" => is_int || matches!(value, Value::Float(_)),
        "bool" => matches!(value, Value::Bool(_)),
        _ => true,
    };
    match fits {
        true => Ok(value),
        false => Err(format!("{name} must be of type {annotation}, not {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::signature::tests::method;
    use super::*;

    fn read(parameters: &[&str], words: &[&str]) -> Result<String, String> {
        let method = method("f", MethodKind::Call, parameters);
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        let read = Arguments::read(&method, &words)?;
        let texts = read.by_position.into_iter().map(|value| format!("{value:?}"));
        let named = read.by_name.into_iter().map(|(name, value)| format!("{name}={value:?}"));
        Ok(texts.chain(named).collect::<Vec<_>>().join(" "))
    }

    fn refusal(parameters: &[&str], words: &[&str]) -> String {
        read(parameters, words).unwrap_err()
    }

    #[test]
    fn texts_are_read_by_annotation() {
        for (parameter, word, value) in [
            ("a", "1", "Int(1)"),
            ("a", "[1]", "List([Int(1)])"),
            ("a", "hello", "Str(\"hello\")"),
            ("a", "\"1\"", "Str(\"1\")"),
            ("a", "None", "Nil"),
            ("a", "null", "Nil"),
            ("a:str", "1", "Str(\"1\")"),
            ("a:'str'", "1", "Str(\"1\")"),
            ("a:str | None", "null", "Str(\"null\")"),
            ("a:typing.Optional[str]", "1", "Str(\"1\")"),
            ("a:str | int", "1", "Int(1)"),
            ("a:int", "18446744073709551615", "UInt(18446744073709551615)"),
            ("a:float", "1", "Int(1)"),
            ("a:float", "inf", "Float(inf)"),
            ("a:bool", "False", "Bool(false)"),
            ("a:bool", "true", "Bool(true)"),
            ("a:date", "2026-01-01", "Str(\"2026-01-01\")"),
        ] {
            assert_eq!(read(&[parameter], &[word]).unwrap(), value, "{parameter} {word}");
        }
        assert!(read(&["a:pathlib.Path"], &["1"]).unwrap().starts_with("Path("));
    }

    #[test]
    fn words_go_where_python_puts_them() {
        for (parameters, words, arguments) in [
            (&["a", "b=2"][..], &["1"][..], "Int(1)"),
            (&["a", "b=2"], &["1", "b=3"], "Int(1) b=Int(3)"),
            (&["a", "b=2"], &["b=3", "1"], "Int(1) b=Int(3)"),
            (&["a:str"], &["c=1"], "Str(\"c=1\")"),
            (&["a:str"], &["a=a=1"], "a=Str(\"a=1\")"),
            (&["/a:str"], &["a=1"], "Str(\"a=1\")"),
            (&["*rest"], &["1", "x=2"], "Int(1) Str(\"x=2\")"),
            (&["*rest:str", "**more:int"], &["1", "x=2"], "Str(\"1\") x=Int(2)"),
            (&["/a:str", "**more"], &["a=1", "x"], "Str(\"x\") a=Int(1)"),
            (&["!a"], &["a="], "a=Str(\"\")"),
        ] {
            assert_eq!(read(parameters, words).unwrap(), arguments, "{parameters:?} {words:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (parameters, words, reason) in [
            (&["a"][..], &[][..], "missing a"),
            (&["a", "b", "!c"], &["b=1"], "missing a, c"),
            (&["/a"], &[], "missing a"),
            (&["a"], &["1", "2"], "it takes one argument by position at most"),
            (&[], &["b=1"], "there is no parameter b"),
            (&["epochs:int"], &["epoch=3"], "there is no parameter epoch; did you mean epochs?"),
            (&["text:str"], &["txet=3"], "there is no parameter txet; did you mean text?"),
            (&["a"], &["1", "a=2"], "a is given by position and by name"),
            (&["a"], &["a=1", "a=2"], "a is given twice"),
            (&["a:int"], &["ten"], "a must be of type int, not \"ten\""),
            (&["a:int"], &["1.0"], "a must be of type int, not \"1.0\""),
            (&["a:bool"], &["a=yes"], "a must be of type bool, not \"yes\""),
        ] {
            assert_eq!(refusal(parameters, words), reason, "{parameters:?} {words:?}");
        }
        let error = message(&method("f", MethodKind::Call, &["a:int"]), &[]);
        assert_eq!(error, Err("missing a: f(a: int)".into()));
        let error = message(&method("f", MethodKind::Property, &[]), &["1".into()]);
        assert_eq!(error, Err("a property takes no arguments: f".into()));
    }

    #[test]
    fn unknown_parameters_take_everything_by_position() {
        let unknown = Method { parameters: None, ..method("f", MethodKind::Call, &[]) };
        let words = ["1".to_owned(), "a=2".to_owned()];
        let expected = Value::Tuple(vec![Value::Int(1), Value::Str("a=2".into())]);
        assert_eq!(message(&unknown, &words), Ok(expected));
    }
}
