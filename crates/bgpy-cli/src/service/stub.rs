//! A stub of a server's class: text of Python for type checkers and editors, valid whatever the server tells.

use std::collections::HashSet;

use bgpy::methods::{Method, MethodKind, MethodTable, Parameter, ParameterKind};

use super::annotation::Annotations;
use super::literal::{is_literal, is_name};
use super::signature::{in_order, starred};

/// What stands in for a class without a name that Python could read.
const NAMELESS: &str = "Service";

/// Special methods that a proxy for asyncio has, and under which name.
const AWAITED: [(&str, &str); 3] =
    [("__call__", "__call__"), ("__getitem__", "__getitem__"), ("__iter__", "__aiter__")];

/// Which proxies a stub describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// Those of `bgpy.aio`.
    Async,
    /// Those of `bgpy.connect`.
    Sync,
}

/// The stub of a class.
pub(crate) fn stub(table: &MethodTable, face: Face) -> String {
    let name = table.class.rsplit('.').next().filter(|name| is_name(name)).unwrap_or(NAMELESS);
    let members = table.methods.iter().map(|method| method.name.as_str());
    let annotations = Annotations::new(table.module.as_deref(), name, members);
    let mut stub = Stub { face, annotations, body: String::new() };
    stub.docstring(table.doc.as_deref(), 1);
    stub.context(name);
    let mut seen = HashSet::new();
    for method in &table.methods {
        if is_name(&method.name) && seen.insert(&method.name) {
            stub.method(method);
        }
    }
    let imports = stub.annotations.imports().join("\n");
    let between = if imports.is_empty() { "" } else { "\n\n\n" };
    let kind = if face == Face::Async { "bgpy.aio.connect" } else { "bgpy.connect" };
    format!(
        "# What {kind} returns for a server with this class, written by `bgpy stubs`.\n\n\
         {imports}{between}class {name}:\n{}",
        stub.body
    )
}

struct Stub<'a> {
    face: Face,
    annotations: Annotations<'a>,
    body: String,
}

impl Stub<'_> {
    fn line(&mut self, depth: usize, text: &str) {
        self.body += &format!("{}{text}\n", "    ".repeat(depth));
    }

    /// A proxy closes its connection at the end of its block.
    fn context(&mut self, name: &str) {
        let (prefix, word) = match self.face {
            Face::Async => ("a", "async def"),
            Face::Sync => ("", "def"),
        };
        self.line(1, &format!("{word} __{prefix}enter__(self) -> {name}: ..."));
        self.line(1, &format!("{word} __{prefix}exit__(self, *exception: object) -> None: ..."));
    }

    fn method(&mut self, method: &Method) {
        let is_async = self.face == Face::Async;
        let Some(name) = self.name(&method.name) else { return };
        let returns = match method.kind {
            MethodKind::Stream => {
                let item = self.annotations.item(method.returns.as_deref());
                let kind = if is_async { "AsyncIterator" } else { "Iterator" };
                let kind = self.annotations.name_of("collections.abc", kind);
                format!("{kind}[{item}]")
            }
            MethodKind::Call | MethodKind::Property => {
                self.annotations.read(method.returns.as_deref())
            }
        };
        if method.kind == MethodKind::Property {
            let returns = if is_async { self.awaitable(&returns) } else { returns };
            self.line(1, "@property");
            return self.definition("def", name, "self", &returns, method.doc.as_deref());
        }
        let parameters = self.parameters(method.parameters.as_deref());
        // An expression such as proxy[key] is awaited as a whole.
        let is_expression = name == "__getitem__";
        let (word, returns) = match (is_async && method.kind == MethodKind::Call, is_expression) {
            (true, true) => ("def", self.awaitable(&returns)),
            (true, false) => ("async def", returns),
            (false, _) => ("def", returns),
        };
        self.definition(word, name, &parameters, &returns, method.doc.as_deref());
    }

    /// The name under which a proxy has a method, if it has it.
    fn name<'m>(&self, name: &'m str) -> Option<&'m str> {
        if self.face == Face::Sync || !name.starts_with('_') {
            return Some(name);
        }
        AWAITED.iter().find(|(special, _)| *special == name).map(|(_, awaited)| *awaited)
    }

    fn awaitable(&mut self, returns: &str) -> String {
        format!("{}[{returns}]", self.annotations.name_of("collections.abc", "Awaitable"))
    }

    fn definition(
        &mut self,
        word: &str,
        name: &str,
        parameters: &str,
        returns: &str,
        doc: Option<&str>,
    ) {
        let head = format!("{word} {name}({parameters}) -> {returns}:");
        if doc.is_none_or(|doc| doc.trim().is_empty()) {
            return self.line(1, &format!("{head} ..."));
        }
        self.line(1, &head);
        self.docstring(doc, 2);
        self.line(2, "...");
    }

    fn parameters(&mut self, parameters: Option<&[Parameter]>) -> String {
        let Some(known) = parameters.filter(|parameters| are_valid(parameters)) else {
            let any = self.annotations.read(None);
            return format!("self, *args: {any}, **kwargs: {any}");
        };
        let parts = in_order(known, |parameter| {
            let annotation = self.annotations.read(parameter.annotation.as_deref());
            let default = parameter.default.as_deref().map(|text| {
                // What other defaults are, only the server knows.
                let text = text.trim();
                format!(" = {}", if is_literal(text) { text } else { "..." })
            });
            format!("{}: {annotation}{}", starred(parameter), default.unwrap_or_default())
        });
        let own = "self".to_owned();
        [own].into_iter().chain(parts).collect::<Vec<_>>().join(", ")
    }

    fn docstring(&mut self, doc: Option<&str>, depth: usize) {
        let lines = unindented(doc.unwrap_or_default());
        let Some((first, rest)) = lines.split_first() else { return };
        let first = format!("\"\"\"{}", escaped(first));
        if rest.is_empty() {
            return self.line(depth, &format!("{first}\"\"\""));
        }
        self.line(depth, &first);
        for line in rest {
            let depth = if line.is_empty() { 0 } else { depth };
            self.line(depth, &escaped(line));
        }
        self.line(depth, "\"\"\"");
    }
}

/// Whether Python takes parameters of these names, kinds and defaults together.
fn are_valid(parameters: &[Parameter]) -> bool {
    let order = |parameter: &Parameter| match parameter.kind {
        ParameterKind::Positional => 0,
        ParameterKind::Any => 1,
        ParameterKind::Rest => 2,
        ParameterKind::Keyword => 3,
        ParameterKind::Keywords => 4,
    };
    let mut seen = HashSet::from(["self"]);
    let mut last = 0;
    let mut has_default = false;
    parameters.iter().all(|parameter| {
        let at = order(parameter);
        let by_position = at < 2;
        let is_in_order = at > last || (at == last && at != 2 && at != 4) || seen.len() == 1;
        let is_complete = !by_position || !has_default || parameter.default.is_some();
        let takes_default = parameter.default.is_none() || (at != 2 && at != 4);
        last = at;
        has_default |= parameter.default.is_some();
        is_in_order
            && is_complete
            && takes_default
            && is_name(&parameter.name)
            && seen.insert(&parameter.name)
    })
}

/// The lines of a docstring without the indentation of its source, and without empty ones around it.
fn unindented(doc: &str) -> Vec<String> {
    let lines: Vec<_> = doc.lines().map(str::trim_end).collect();
    let depth = |line: &&str| line.len() - line.trim_start_matches(' ').len();
    let common = lines.iter().skip(1).filter(|line| !line.is_empty()).map(depth).min();
    let cut = |(index, line): (usize, &&str)| match index {
        0 => line.trim_start().to_owned(),
        _ => line.get(common.unwrap_or(0)..).unwrap_or_default().to_owned(),
    };
    let mut cut: Vec<_> = lines.iter().enumerate().map(cut).collect();
    while cut.last().is_some_and(String::is_empty) {
        cut.pop();
    }
    let empty = cut.iter().take_while(|line| line.is_empty()).count();
    cut.split_off(empty)
}

/// A line as it may stand in a docstring.
fn escaped(line: &str) -> String {
    let mut text = String::new();
    for character in line.chars() {
        match character {
            '\\' | '"' => text.extend(['\\', character]),
            '\t' => text.push('\t'),
            control if control.is_control() => text += &format!("\\x{:02x}", u32::from(control)),
            other => text.push(other),
        }
    }
    // A quote alone ends no docstring.
    if line.contains("\"\"\"") || line.ends_with('"') { text } else { text.replace("\\\"", "\"") }
}

#[cfg(test)]
mod tests {
    use super::super::signature::tests::method;
    use super::*;

    fn table(methods: Vec<Method>) -> MethodTable {
        let (class, module) = ("counters.<locals>.Counter".to_owned(), Some("counters".to_owned()));
        MethodTable { class, module, doc: Some("Counts.".into()), methods }
    }

    fn body(face: Face, methods: Vec<Method>) -> String {
        let stub = stub(&table(methods), face);
        let (_, body) = stub.split_once("exception: object) -> None: ...\n").unwrap();
        body.lines().map(str::trim_start).collect::<Vec<_>>().join("\n")
    }

    fn returning(method: Method, returns: &str) -> Method {
        Method { returns: Some(returns.into()), ..method }
    }

    #[test]
    fn each_face_has_its_definitions() {
        let methods = || {
            vec![
                returning(method("increase", MethodKind::Call, &["by:int=1", "!quiet=()"]), "int"),
                returning(method("words", MethodKind::Stream, &["text:str"]), "Iterator[str]"),
                returning(method("value", MethodKind::Property, &[]), "int"),
                returning(method("__len__", MethodKind::Call, &[]), "int"),
                returning(method("__getitem__", MethodKind::Call, &["/at:int"]), "str"),
                method("__iter__", MethodKind::Stream, &[]),
            ]
        };
        let increase = "def increase(self, by: int = 1, *, quiet: Any = ...) -> int: ...";
        assert_eq!(
            body(Face::Async, methods()),
            format!(
                "async {increase}\n\
                 def words(self, text: str) -> AsyncIterator[str]: ...\n\
                 @property\n\
                 def value(self) -> Awaitable[int]: ...\n\
                 def __getitem__(self, at: int, /) -> Awaitable[str]: ...\n\
                 def __aiter__(self) -> AsyncIterator[Any]: ..."
            )
        );
        assert_eq!(
            body(Face::Sync, methods()),
            format!(
                "{increase}\n\
                 def words(self, text: str) -> Iterator[str]: ...\n\
                 @property\n\
                 def value(self) -> int: ...\n\
                 def __len__(self) -> int: ...\n\
                 def __getitem__(self, at: int, /) -> str: ...\n\
                 def __iter__(self) -> Iterator[Any]: ..."
            )
        );
    }

    #[test]
    fn the_whole_is_a_module() {
        let method = Method {
            doc: Some("Adds.\n\n    More.\n    ".into()),
            ..method("add", MethodKind::Call, &[])
        };
        assert_eq!(
            stub(&table(vec![method]), Face::Sync),
            "# What bgpy.connect returns for a server with this class, written by `bgpy stubs`.\n\n\
             from typing import Any\n\n\n\
             class Counter:\n    \
                 \"\"\"Counts.\"\"\"\n    \
                 def __enter__(self) -> Counter: ...\n    \
                 def __exit__(self, *exception: object) -> None: ...\n    \
                 def add(self) -> Any:\n        \
                     \"\"\"Adds.\n\n        \
                     More.\n        \
                     \"\"\"\n        \
                     ...\n"
        );
    }

    #[test]
    fn parameters_that_python_refuses_become_any() {
        let any = "def f(self, *args: Any, **kwargs: Any) -> Any: ...";
        for parameters in [
            &["a=1", "b"][..],
            &["a", "a"],
            &["self"],
            &["not"],
            &["a b"],
            &["*a", "b"],
            &["**a", "**b"],
            &["*a", "*b"],
            &["*a=1"],
        ] {
            assert_eq!(body(Face::Sync, vec![method("f", MethodKind::Call, parameters)]), any);
        }
        let unknown = Method { parameters: None, ..method("f", MethodKind::Call, &[]) };
        assert_eq!(body(Face::Sync, vec![unknown]), any);
        for name in ["not", "a b", "a(self): import os #", ""] {
            assert_eq!(body(Face::Sync, vec![method(name, MethodKind::Call, &[])]), "");
        }
    }

    #[test]
    fn docstrings_stay_inside_their_quotes() {
        for (line, text) in [
            ("a \"word\" here", "a \"word\" here"),
            ("ends with \"", "ends with \\\""),
            ("a \"\"\" b", "a \\\"\\\"\\\" b"),
            ("back\\slash\\", "back\\\\slash\\\\"),
            ("nul \0 and \x1b", "nul \\x00 and \\x1b"),
        ] {
            assert_eq!(escaped(line), text);
        }
    }
}
