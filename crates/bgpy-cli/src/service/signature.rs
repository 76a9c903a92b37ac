//! Methods and their parameters as people write them.

use bgpy::methods::{Method, MethodKind, Parameter, ParameterKind};

/// A method with its parameters and what it returns, as Python writes it.
pub(crate) fn signature(method: &Method) -> String {
    let Method { name, kind, .. } = method;
    if *kind == MethodKind::Property {
        let returns = method.returns.as_ref().map(|returns| format!(": {returns}"));
        return format!("{name}{}", returns.unwrap_or_default());
    }
    let returns = method.returns.as_ref().map(|returns| format!(" -> {returns}"));
    let parameters = match &method.parameters {
        Some(parameters) => in_order(parameters, shown).join(", "),
        None => "...".to_owned(),
    };
    format!("{name}({parameters}){}", returns.unwrap_or_default())
}

/// The parts of a list of parameters, with the signs between those of different kinds.
pub(crate) fn in_order(
    parameters: &[Parameter],
    mut shown: impl FnMut(&Parameter) -> String,
) -> Vec<String> {
    let mut parts = Vec::new();
    let mut has_star = false;
    for (index, parameter) in parameters.iter().enumerate() {
        if parameter.kind == ParameterKind::Keyword && !has_star {
            parts.push("*".to_owned());
        }
        has_star |= matches!(parameter.kind, ParameterKind::Rest | ParameterKind::Keyword);
        parts.push(shown(parameter));
        let is_last = parameters.get(index + 1).map(|next| next.kind);
        if parameter.kind == ParameterKind::Positional && is_last != Some(ParameterKind::Positional)
        {
            parts.push("/".to_owned());
        }
    }
    parts
}

/// The name of a parameter, with the stars in front of it.
pub(crate) fn starred(parameter: &Parameter) -> String {
    let stars = match parameter.kind {
        ParameterKind::Rest => "*",
        ParameterKind::Keywords => "**",
        _ => "",
    };
    format!("{stars}{}", parameter.name)
}

/// A parameter with its annotation and default.
pub(crate) fn shown(parameter: &Parameter) -> String {
    let name = starred(parameter);
    match (&parameter.annotation, &parameter.default) {
        (Some(annotation), Some(default)) => format!("{name}: {annotation} = {default}"),
        (Some(annotation), None) => format!("{name}: {annotation}"),
        (None, Some(default)) => format!("{name}={default}"),
        (None, None) => name,
    }
}

/// The first line of a docstring.
pub(crate) fn summary(doc: Option<&str>) -> &str {
    doc.and_then(|doc| doc.lines().map(str::trim).find(|line| !line.is_empty())).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use bgpy::methods::Runs;

    use super::*;

    /// A method with parameters such as `name`, `/name` (by position), `*name`, `**name` and `!name` (by name), each
    /// perhaps with `:annotation` and `=default`.
    pub(crate) fn method(name: &str, kind: MethodKind, parameters: &[&str]) -> Method {
        let parameter = |text: &&str| {
            let (text, default) = match text.split_once('=') {
                Some((text, default)) => (text, Some(default.to_owned())),
                None => (*text, None),
            };
            let (name, annotation) = match text.split_once(':') {
                Some((name, annotation)) => (name, Some(annotation.to_owned())),
                None => (text, None),
            };
            let signs = [
                ("**", ParameterKind::Keywords),
                ("*", ParameterKind::Rest),
                ("/", ParameterKind::Positional),
                ("!", ParameterKind::Keyword),
            ];
            let found =
                signs.iter().find_map(|(sign, kind)| Some((name.strip_prefix(sign)?, *kind)));
            let (name, kind) = found.unwrap_or((name, ParameterKind::Any));
            Parameter { name: name.to_owned(), kind, default, annotation }
        };
        Method {
            name: name.to_owned(),
            kind,
            runs: Runs::Exclusive,
            cancel: true,
            parameters: Some(parameters.iter().map(parameter).collect()),
            returns: None,
            doc: None,
        }
    }

    #[test]
    fn signatures_are_those_of_python() {
        for (parameters, text) in [
            (&[][..], "f()"),
            (&["a", "b=1", "c:int", "d:int=2"], "f(a, b=1, c: int, d: int = 2)"),
            (&["/a", "/b", "c"], "f(a, b, /, c)"),
            (&["/a"], "f(a, /)"),
            (&["a", "!b", "!c=None"], "f(a, *, b, c=None)"),
            (&["*rest:int", "!b", "**more"], "f(*rest: int, b, **more)"),
        ] {
            assert_eq!(signature(&method("f", MethodKind::Call, parameters)), text);
        }
        let stream = Method {
            returns: Some("Iterator[str]".into()),
            ..method("f", MethodKind::Stream, &["a"])
        };
        assert_eq!(signature(&stream), "f(a) -> Iterator[str]");
        assert_eq!(
            signature(&Method { parameters: None, ..stream.clone() }),
            "f(...) -> Iterator[str]"
        );
        let property = Method { kind: MethodKind::Property, ..stream };
        assert_eq!(signature(&property), "f: Iterator[str]");
    }

    #[test]
    fn a_summary_is_the_first_line_with_text() {
        assert_eq!(summary(Some("\n   Adds.\n\n   More.")), "Adds.");
        assert_eq!((summary(Some(" \n")), summary(None)), ("", ""));
    }
}
