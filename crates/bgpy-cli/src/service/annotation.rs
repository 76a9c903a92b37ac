//! Annotations of another process, as valid ones for a stub, with the imports that they need.

use std::collections::BTreeSet;

use super::literal::is_name;
use super::type_expression::TypeExpression;

const BUILTINS: [&str; 24] = [
    "BaseException",
    "Exception",
    "False",
    "None",
    "OSError",
    "TypeError",
    "True",
    "ValueError",
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "memoryview",
    "object",
    "range",
    "set",
    "str",
    "tuple",
    "type",
];

/// Names that mean the same in most modules, by the module that has them.
const KNOWN: [(&str, &[&str]); 7] = [
    (
        "collections.abc",
        &[
            "AsyncGenerator",
            "AsyncIterable",
            "AsyncIterator",
            "Awaitable",
            "Buffer",
            "Callable",
            "Collection",
            "Container",
            "Coroutine",
            "Generator",
            "Hashable",
            "ItemsView",
            "Iterable",
            "Iterator",
            "KeysView",
            "Mapping",
            "MutableMapping",
            "MutableSequence",
            "MutableSet",
            "Reversible",
            "Sequence",
            "Sized",
            "ValuesView",
        ],
    ),
    (
        "typing",
        &[
            "Annotated",
            "Any",
            "AnyStr",
            "BinaryIO",
            "Dict",
            "FrozenSet",
            "IO",
            "List",
            "Literal",
            "LiteralString",
            "Never",
            "NoReturn",
            "Optional",
            "Set",
            "SupportsFloat",
            "SupportsIndex",
            "SupportsInt",
            "TextIO",
            "Tuple",
            "Type",
            "Union",
        ],
    ),
    ("datetime", &["date", "timedelta"]),
    ("decimal", &["Decimal"]),
    ("fractions", &["Fraction"]),
    ("pathlib", &["Path", "PurePath"]),
    ("uuid", &["UUID"]),
];

/// Modules that are known by another name.
const ALIASES: [(&str, &str); 6] = [
    ("dt", "datetime"),
    ("np", "numpy"),
    ("pd", "pandas"),
    ("pl", "polars"),
    ("t", "typing"),
    ("xr", "xarray"),
];

/// The annotations of a stub, and the imports that they need.
#[derive(Debug)]
pub(crate) struct Annotations<'a> {
    /// Where names come from that are not known otherwise; without it, they become Any.
    module: Option<&'a str>,
    /// A name that the stub itself defines, for something else.
    taken: &'a str,
    /// Names that mean members of the class in its body.
    members: BTreeSet<&'a str>,
    modules: BTreeSet<String>,
    names: BTreeSet<(String, String)>,
}

impl<'a> Annotations<'a> {
    /// For methods of a class, whose name the stub takes.
    pub(crate) fn new(
        module: Option<&'a str>,
        taken: &'a str,
        members: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let is_path = |module: &&str| module.split('.').all(is_name);
        // Nobody else can import it.
        let module = module.filter(is_path).filter(|module| *module != "__main__");
        let members = members.into_iter().collect();
        Self { module, taken, members, modules: BTreeSet::new(), names: BTreeSet::new() }
    }

    /// An annotation as it may stand in a stub; Any for what is none.
    pub(crate) fn read(&mut self, text: Option<&str>) -> String {
        match text.and_then(TypeExpression::read) {
            Some(annotation) => self.written(&annotation),
            None => self.any(),
        }
    }

    /// The annotation of what a stream yields.
    pub(crate) fn item(&mut self, text: Option<&str>) -> String {
        match text.and_then(TypeExpression::read) {
            Some(TypeExpression::Of(_, items)) if !items.is_empty() => self.written(&items[0]),
            _ => self.any(),
        }
    }

    /// The name of something that a module has.
    pub(crate) fn name_of(&mut self, module: &str, name: &str) -> String {
        self.names.insert((module.to_owned(), name.to_owned()));
        name.to_owned()
    }

    fn any(&mut self) -> String {
        self.name_of("typing", "Any")
    }

    /// The imports, a line each.
    pub(crate) fn imports(&self) -> Vec<String> {
        let modules = self.modules.iter().map(|module| format!("import {module}"));
        let mut lines: Vec<_> = modules.collect();
        let mut names = self.names.iter().peekable();
        while let Some((module, name)) = names.next() {
            let mut line = format!("from {module} import {name}");
            while let Some((_, name)) = names.next_if(|(other, _)| other == module) {
                line += ", ";
                line += name;
            }
            lines.push(line);
        }
        lines
    }

    fn written(&mut self, annotation: &TypeExpression) -> String {
        match annotation {
            TypeExpression::Name(path) => self.path(path),
            TypeExpression::Of(path, items) => {
                let of = self.path(path);
                if of == "Any" {
                    return of;
                }
                let items: Vec<_> = items.iter().map(|item| self.written(item)).collect();
                format!("{of}[{}]", items.join(", "))
            }
            TypeExpression::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.written(item)).collect();
                format!("[{}]", items.join(", "))
            }
            TypeExpression::Union(items) => {
                let items: Vec<_> = items.iter().map(|item| self.written(item)).collect();
                items.join(" | ")
            }
            TypeExpression::Literal(text) => text.clone(),
        }
    }

    fn path(&mut self, path: &[String]) -> String {
        let (first, rest) = path.split_first().expect("a path has a part");
        let whole = path.join(".");
        if rest.is_empty() {
            return self.name(first);
        }
        if *first == self.taken {
            return self.any();
        }
        if let Some((alias, module)) = ALIASES.iter().find(|(alias, _)| alias == first) {
            self.modules.insert(format!("{module} as {alias}"));
            return whole;
        }
        // Modules have names without capitals.
        let is_class = |part: &String| part.chars().next().is_some_and(char::is_uppercase);
        match path.iter().position(is_class).unwrap_or(path.len() - 1) {
            0 => {
                let name = self.name(first);
                if name == *first { whole } else { name }
            }
            length => {
                self.modules.insert(path[..length].join("."));
                whole
            }
        }
    }

    fn name(&mut self, name: &str) -> String {
        if BUILTINS.contains(&name) {
            if self.members.contains(name) {
                self.modules.insert("builtins".to_owned());
                return format!("builtins.{name}");
            }
            return name.to_owned();
        }
        if name == self.taken {
            return self.any();
        }
        let known = KNOWN.iter().find(|(_, names)| names.contains(&name));
        match known.map(|(module, _)| *module).or(self.module) {
            Some(module) => self.name_of(module, name),
            None => self.any(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Vec<String>) {
        let mut annotations = Annotations::new(Some("shop.orders"), "Shop", ["set"]);
        (annotations.read(Some(text)), annotations.imports())
    }

    #[test]
    fn annotations_come_with_their_imports() {
        for (text, annotation, imports) in [
            ("int", "int", &[][..]),
            ("None", "None", &[]),
            ("list[int | None]", "list[int | None]", &[]),
            ("'list[\"int\"]'", "list[int]", &[]),
            ("dict[str, Any]", "dict[str, Any]", &["from typing import Any"]),
            (
                "Callable[[int, str], None]",
                "Callable[[int, str], None]",
                &["from collections.abc import Callable"],
            ),
            ("tuple[int, ...]", "tuple[int, ...]", &[]),
            // The class has a method of this name.
            ("set[int]", "builtins.set[int]", &["import builtins"]),
            ("tuple[()]", "tuple[()]", &[]),
            (
                "Literal['a', \"it's\", -1, None, True]",
                "Literal['a', \"it's\", -1, None, True]",
                &["from typing import Literal"],
            ),
            ("Annotated[int, 'some']", "int", &[]),
            ("np.ndarray", "np.ndarray", &["import numpy as np"]),
            (
                "numpy.typing.NDArray[numpy.int64]",
                "numpy.typing.NDArray[numpy.int64]",
                &["import numpy", "import numpy.typing"],
            ),
            ("datetime.datetime", "datetime.datetime", &["import datetime"]),
            ("Order", "Order", &["from shop.orders import Order"]),
            (
                "Order.State | date",
                "Order.State | date",
                &["from datetime import date", "from shop.orders import Order"],
            ),
            // Not the class that the stub defines: its object comes as itself.
            ("Shop", "Any", &["from typing import Any"]),
            ("Shop.Inner", "Any", &["from typing import Any"]),
            ("list[Shop]", "list[Any]", &["from typing import Any"]),
        ] {
            let imports: Vec<_> = imports.iter().map(ToString::to_string).collect();
            assert_eq!(read(text), (annotation.to_owned(), imports), "{text}");
        }
    }

    #[test]
    fn what_is_no_annotation_becomes_any() {
        for text in [
            "",
            "not a type",
            "1",
            "list[",
            "list[]",
            "[int]",
            "x if y else z",
            "print('x')",
            "int\nimport os",
            "list[int] x",
            "None[int]",
            "a..b",
            "int |",
            "<class 'int'>",
            "'",
            "a.None",
            "-1",
            "lambda: 0",
        ] {
            assert_eq!(read(text).0, "Any", "{text}");
        }
        let deep = format!("{}int{}", "list[".repeat(500), "]".repeat(500));
        assert_eq!(read(&deep).0, "Any");
        let deep = format!("list[{}int{}]", "[".repeat(500), "]".repeat(500));
        assert_eq!(read(&deep).0, "Any");
    }

    #[test]
    fn unknown_names_need_a_module() {
        for module in [None, Some("__main__"), Some("not a module"), Some("os; import x")] {
            let mut annotations = Annotations::new(module, "Shop", []);
            assert_eq!(annotations.read(Some("list[Order]")), "list[Any]");
            assert_eq!(annotations.read(Some("Order[int]")), "Any");
            assert_eq!(annotations.imports(), ["from typing import Any"]);
        }
    }

    #[test]
    fn streams_yield_the_first_of_their_types() {
        let mut annotations = Annotations::new(None, "Shop", []);
        for (text, item) in [
            (Some("Iterator[str]"), "str"),
            (Some("Generator[int, None, str]"), "int"),
            (Some("typing.Iterator['int']"), "int"),
            (Some("Iterator"), "Any"),
            (None, "Any"),
        ] {
            assert_eq!(annotations.item(text), item);
        }
    }
}
