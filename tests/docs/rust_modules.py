"""Which files of a Rust crate use which others, as far as paths and methods tell.

Of methods, those are followed that a type calls on itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

Module = tuple[str, ...]
Graph = dict[Module, set[Module]]

ITEMS = r"\b(?:fn|struct|enum|trait|const|static|type|macro_rules!|union|mod)\s+{}\b"
OF_TESTS = re.compile(
    r"#\[cfg\((?:all\()?test[^\]]*\]\s*(?:pub(?:\([^)]*\))?\s+)?"
    r"(mod \w+ \{|mod \w+;|use [^;]*;|fn|impl|struct|pub)"
)
# Comments, texts and letters may hold anything.
NO_CODE = re.compile(r"""//[^\n]*|(?<!path = )"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'""", re.DOTALL)
USE = re.compile(r"(?:^|\s)(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);")
IMPL = re.compile(
    r"^impl(?:<[^{]*?>)?\s+(?:([\w:]+)(?:<[^{]*?>)?\s+for\s+)?([\w:]+)[^{;]*\{", re.MULTILINE
)
METHOD = re.compile(r"\bfn (\w+)")
OWN_CALL = re.compile(r"\b(?:self\.|Self::)(\w+)\(")
MODULE = re.compile(r"(#\[path = \"([^\"]+)\"\]\s*)?(?:pub(?:\([^)]*\))?\s+)?\bmod (\w+);")


class Crate:
    """The modules of a crate that has a ``lib.rs``, without what is there for tests only."""

    def __init__(self, source: Path) -> None:
        self.texts: dict[Module, str] = {}
        self._read((), source / "lib.rs", source)
        self._uses = {module: list(uses(text)) for module, text in self.texts.items()}
        self._impls = {module: list(self._impls_of(module)) for module in self.texts}

    def dependencies(self) -> Graph:
        """Return the modules that each uses, apart from its children that it re-exports."""
        methods = self._methods()
        return {
            module: self._used_by(module) | self._called_by(module, methods)
            for module in self.texts
        }

    def _read(self, module: Module, file: Path, directory: Path) -> None:
        self.texts[module] = without_tests(NO_CODE.sub("", file.read_text()))
        for found in MODULE.finditer(self.texts[module]):
            _, path, name = found.groups()
            places = [path] if path else [f"{name}.rs", f"{name}/mod.rs"]
            file = next(place for it in places if (place := directory / it).exists())
            self._read((*module, name), file, directory / name)

    def _used_by(self, module: Module) -> set[Module]:
        used = set()
        for path, name, is_public in self._uses[module]:
            if is_public and (*module, path[0]) in self.texts:
                continue
            used.add(self._resolve(module, path[:-1] if name == "*" else path))
        names = {name for _, name, _ in self._uses[module]}
        for found in re.finditer(r"\b[a-z_]\w*(?:::\w+)+", USE.sub("", self.texts[module])):
            path = tuple(found[0].split("::"))
            if self._is_local(module, path) or path[0] in names:
                used.add(self._resolve(module, path))
        return {other for other in used if other is not None} - {module}

    def _impls_of(self, module: Module) -> Iterator[tuple[tuple[Module, str], bool, str]]:
        """Return the type of each impl of a module, whether it is of a trait, and its code."""
        text = self.texts[module]
        for found in IMPL.finditer(text):
            path = tuple(found[2].split("::"))
            home = self._resolve(module, path)
            if home is not None:
                code = text[found.start() : end_of_block(text, found.start())]
                yield (home, path[-1]), found[1] is not None, code

    def _methods(self) -> dict[tuple[tuple[Module, str], str], set[Module]]:
        """Return in which modules each method of a type is."""
        methods: dict[tuple[tuple[Module, str], str], set[Module]] = {}
        for module, impls in self._impls.items():
            for kind, is_of_trait, code in impls:
                if not is_of_trait:
                    for name in METHOD.findall(code):
                        methods.setdefault((kind, name), set()).add(module)
        return methods

    def _called_by(
        self, module: Module, methods: dict[tuple[tuple[Module, str], str], set[Module]]
    ) -> set[Module]:
        """Return the modules whose methods a type calls on itself in this one."""
        called: set[Module] = set()
        for kind, _, code in self._impls[module]:
            for name in OWN_CALL.findall(code):
                called |= methods.get((kind, name), set())
        return called - {module}

    def _is_local(self, module: Module, path: Module) -> bool:
        return path[0] in ("crate", "self", "super") or (*module, path[0]) in self.texts

    def _resolve(
        self, module: Module, path: Module, seen: tuple[object, ...] = ()
    ) -> Module | None:
        """Return the module that defines what a path means; none if it is of another crate."""
        if not path or (module, path) in seen:
            return None if path else module
        seen = (*seen, (module, path))
        first, rest = path[0], path[1:]
        if first in ("crate", "self", "super"):
            start = {"crate": (), "self": module, "super": module[:-1]}[first]
            return self._resolve(start, rest, seen)
        if (*module, first) in self.texts:
            return self._resolve((*module, first), rest, seen)
        if re.search(ITEMS.format(first), self.texts[module]):
            return module
        for other, name, _ in self._uses[module]:
            if name == first and self._is_local(module, other):
                return self._resolve(module, other, seen)
        for other, name, _ in self._uses[module]:
            if name == "*" and (source := self._resolve(module, other[:-1], seen)) is not None:
                found = self._resolve(source, path, seen)
                if found is not None:
                    return found
        return None


def without_tests(code: str) -> str:
    """Return Rust code without what is compiled for tests only."""
    kept, end = [], 0
    for found in OF_TESTS.finditer(code):
        if found.start() < end:
            continue
        kept.append(code[end : found.start()])
        end = found.end() if found[1].endswith(";") else end_of_block(code, found.start())
    return "".join([*kept, code[end:]])


def end_of_block(code: str, start: int) -> int:
    """Return where the first block after a place ends."""
    depth = 0
    for brace in re.finditer(r"[{}]", code[start:]):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return start + brace.end()
    raise ValueError("a block has no end")


def uses(code: str) -> Iterator[tuple[Module, str, bool]]:
    """Return the path of each use, the name that it gives, and whether that is public."""
    for found in USE.finditer(code):
        for path, name in branch((), found[2].strip()):
            yield path, name, bool(found[1])


def branch(prefix: Module, part: str) -> Iterator[tuple[Module, str]]:
    if not part:
        return
    head, brace, rest = part.partition("{")
    names = tuple(name for name in head.removesuffix("::").split("::") if name)
    if brace:
        for inner in split_at_commas(rest[: rest.rindex("}")]):
            yield from branch((*prefix, *names), inner.strip())
        return
    *names_before, last = part.split("::")
    last, _, alias = last.partition(" as ")
    path = (*prefix, *names_before) if last == "self" else (*prefix, *names_before, last)
    yield path, alias or path[-1]


def split_at_commas(text: str) -> list[str]:
    """Split at the commas that stand in no braces."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def circles(graph: Graph) -> list[set[Module]]:
    """Return the strongly connected components of more than one module (Tarjan 1972)."""
    index: dict[Module, int] = {}
    low: dict[Module, int] = {}
    stack: list[Module] = []
    found: list[set[Module]] = []

    def visit(module: Module) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in graph[module]:
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            at = stack.index(module)
            if len(stack) - at > 1:
                found.append(set(stack[at:]))
            del stack[at:]

    for module in graph:
        if module not in index:
            visit(module)
    return found
