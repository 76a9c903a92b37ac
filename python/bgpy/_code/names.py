"""The names that code reads and assigns to, from its bytecode.

The results are cached by code object, since bytecode never changes.
"""

from __future__ import annotations

from opcode import EXTENDED_ARG, opmap, opname
from types import CodeType

from .codes import kept_by_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_GLOBAL = opmap["LOAD_GLOBAL"]
_NAMED = {opmap.get("LOAD_NAME"), opmap.get("LOAD_FROM_DICT_OR_GLOBALS")}
_STORED = {opmap["STORE_GLOBAL"], opmap["DELETE_GLOBAL"]}
_ATTRIBUTES = {opmap["STORE_ATTR"], opmap["DELETE_ATTR"]}
_CELLS = {opmap["STORE_DEREF"], opmap["DELETE_DEREF"]}
_ITEMS = {opmap["STORE_SUBSCR"], opmap["DELETE_SUBSCR"]}
# Methods that change a container.
_CHANGING = {
    "add",
    "append",
    "appendleft",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "setdefault",
    "update",
}
# Usual names of parameters that are classes.
_CLASSES = {"cls", "klass", "mcs", "mcls", "metacls", "type_"}
_CACHE = 0


class Names:
    """The names that a code object and those nested in it use."""

    __slots__ = ("attributes", "changes", "kept", "loaded", "mentioned", "stored")

    def __init__(self, code: CodeType) -> None:
        # Globals that are read, in the order of the instructions.
        self.loaded: dict[str, None] = {}
        # Globals that are assigned to.
        self.stored: set[str] = set()
        # Attributes that are assigned to, except those of variables that are not classes.
        self.attributes: set[str] = set()
        # Variables of a function around this one that are assigned to.
        self.kept: set[str] = set()
        self.mentioned: set[str] = set(code.co_names)
        # Whether containers are changed.
        self.changes = not _CHANGING.isdisjoint(self.mentioned)
        before, argument_before = _CACHE, 0
        for operation, argument in _instructions(code.co_code):
            if operation == _GLOBAL:
                self.loaded[code.co_names[argument >> 1]] = None
            elif operation in _NAMED:
                self.loaded[code.co_names[argument]] = None
            elif operation in _STORED:
                self.stored.add(code.co_names[argument])
            elif operation in _ITEMS:
                self.changes = True
            elif operation in _CELLS:
                self.kept.add(_variable(code, argument))
            elif operation in _ATTRIBUTES and not _is_object(code, before, argument_before):
                self.attributes.add(code.co_names[argument])
            before, argument_before = operation, argument
        for constant in code.co_consts:
            if type(constant) is CodeType:
                inner = names(constant)
                self.loaded.update(inner.loaded)
                self.stored |= inner.stored
                self.kept |= inner.kept
                self.attributes |= inner.attributes
                self.mentioned |= inner.mentioned
                self.changes |= inner.changes


def _variable(code: CodeType, place: int) -> str:
    """Return the name of a variable by its index in the frame."""
    inner = [name for name in code.co_cellvars if name not in code.co_varnames]
    return (*code.co_varnames, *inner, *code.co_freevars)[place]


_attributes: dict[str, set[str]] = {}

names = kept_by_code(Names)
"""Return the names that code uses."""


def attributes_in(file: str) -> set[str]:
    """Return the attributes that a module's top-level code assigns to, from its source.

    Its bytecode is gone once the module is imported.
    """
    found = _attributes.get(file)
    if found is None:
        try:
            with open(file, encoding="utf-8", errors="replace") as source:
                found = set(filter(None, map(_assigned_attribute, source)))
        except OSError:
            found = set()
        _attributes[file] = found
    return found


def _assigned_attribute(line: str) -> str | None:
    """Return the attribute that a line assigns to, as `Job.limit += 1` does."""
    before, equals, behind = line.partition("=")
    if not equals or behind.startswith("=") or before.endswith(("!", "<", ">")):
        return None
    words = before.rstrip("+-*/%@&|^<> ").split()
    holder, dot, name = words[-1].rpartition(".") if words else ("", "", "")
    is_attribute = dot and name.isidentifier() and holder.replace(".", "").isidentifier()
    return name if is_attribute and holder != "self" else None


def _instructions(code: bytes) -> Iterator[tuple[int, int]]:
    extended = 0
    for place in range(0, len(code), 2):
        operation, argument = code[place], code[place + 1] | extended
        extended = argument << 8 if operation == EXTENDED_ARG else 0
        if operation not in (_CACHE, EXTENDED_ARG):
            yield operation, argument


def _is_object(code: CodeType, operation: int, argument: int) -> bool:
    """Return whether an instruction loads a variable whose name is not that of a class."""
    variables = opname[operation].count("LOAD_FAST")
    if not variables:
        return False
    # One that loads two variables has four bits for each.
    place = argument & 15 if variables == 2 else argument
    return place < len(code.co_varnames) and code.co_varnames[place] not in _CLASSES
