"""What makes two definitions the same: a digest of their code.

Code counts, as do defaults, bases, members of enumerations and constants, and whatever is used of
other definitions. Where a definition stands in its file does not count. Neither does state: what
the code itself assigns to, containers that can change, objects.
"""

from __future__ import annotations

import sys
from types import (
    BuiltinFunctionType,
    CellType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)

from .constants import constant
from .local import MAIN, is_local, is_named, library, module_of, name_of
from .names import attributes_in, names
from .table import ALIKE, WeakTable, keys

try:
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DIGEST_BYTES = 16
# What a class has anew in each process, or what follows from the rest.
_UNTOLD = {
    "__module__",
    "__dict__",
    "__weakref__",
    "__abstractmethods__",
    "_abc_impl",
    "__firstlineno__",
    "__static_attributes__",
    "__annotations_cache__",
    "__slotnames__",
    # That of a dataclass shows its defaults, with their addresses.
    "__doc__",
}
_IMPORTED = {"__builtins__", "__cached__", "__doc__", "__file__", "__loader__", "__spec__"}
_STATE = b"?"

# The constants of a class, as they were when they were first looked at.
_first = WeakTable()


def travels(obj: Any) -> bool:
    """Tell whether a definition has to go along, because the other side may lack it."""
    if type(obj) is ModuleType:
        return obj.__name__ != MAIN and (is_local(obj.__name__) or keys.get(obj) is not None)
    module = module_of(obj)
    if keys.get(obj) is not None or (module is not None and is_local(module)):
        return True
    is_static = isinstance(obj, type) and not obj.__flags__ & 1 << 9
    return not (is_static or is_named(obj))


def is_definition(obj: Any) -> bool:
    """Tell whether an object is code that has a name, and not an object that has state."""
    if isinstance(obj, (FunctionType, type)) or type(obj) is ModuleType:
        return True
    kind = type(obj)
    return (kind.__module__, kind.__name__) in _NAMED_KINDS


def is_function(obj: Any) -> bool:
    """Tell whether a definition is a function, with a cache or without."""
    return isinstance(obj, FunctionType) or type(obj).__name__ == "_lru_cache_wrapper"


_NAMED_KINDS = {
    ("functools", "_lru_cache_wrapper"),
    ("typing", "NewType"),
    ("typing", "TypeVar"),
    ("typing", "ParamSpec"),
    ("typing", "TypeVarTuple"),
    ("typing", "TypeAliasType"),
}


def numbered(digest: bytes, number: bytes) -> bytes:
    """Return the digest of one of several definitions that have the same content."""
    return blake2b(digest + number, digest_size=_DIGEST_BYTES).digest() if number else digest


class _Node:
    """What a definition is by itself, and the definitions that it uses."""

    __slots__ = ("has_state", "is_shared", "own", "used")

    def __init__(self) -> None:
        self.own: list[bytes] = []
        self.used: list[Any] = []
        self.has_state = False
        # Classes and modules are one object for everybody who uses them, whatever their state.
        self.is_shared = False


class Content:
    """Digests of definitions, all as they are at the moment."""

    def __init__(self) -> None:
        self._nodes: dict[int, tuple[Any, _Node]] = {}
        self._assigned: dict[str, _Assigned] = {}

    def digest(self, obj: Any) -> tuple[bytes, bool]:
        """Return the digest of a definition, and whether it has state of its own."""
        places, queue = {id(obj): 0}, [obj]
        digest = blake2b(digest_size=_DIGEST_BYTES)
        for part in queue:
            node = self._node(part)
            for own in node.own:
                digest.update(b"%d:" % len(own) + own)
            for used in node.used:
                if id(used) not in places:
                    places[id(used)] = len(queue)
                    queue.append(used)
                digest.update(b"@%d" % places[id(used)])
            digest.update(b";")
        return digest.digest(), self._has_state(obj)

    def _has_state(self, obj: Any) -> bool:
        known, queue = {id(obj)}, [obj]
        for part in queue:
            node = self._node(part)
            if node.is_shared:
                continue
            if node.has_state:
                return True
            new = [used for used in node.used if id(used) not in known]
            known.update(map(id, new))
            queue += new
        return False

    def _node(self, obj: Any) -> _Node:
        known = self._nodes.get(id(obj))
        if known is None:
            known = self._nodes[id(obj)] = (obj, _Node())
            self._look_at(obj, known[1])
        return known[1]

    def _look_at(self, obj: Any, node: _Node) -> None:
        key = keys.get(obj)
        if key is not None:
            # What was built here is what it was where it came from.
            node.own.append(b"built %b" % key[2])
            node.is_shared = bool(key[3] & ALIKE)
        elif type(obj) is FunctionType:
            self._function(obj, node)
        elif isinstance(obj, type):
            node.is_shared = True
            self._class(obj, node)
        elif type(obj) is ModuleType:
            node.is_shared = True
            node.own.append(b"module " + _text(obj.__name__))
            for name, value in sorted(vars(obj).items()):
                if name not in _IMPORTED:
                    node.own += [_text(name), self._tell(value, node)]
        else:
            self._other(obj, node)

    def _function(self, function: FunctionType, node: _Node) -> None:
        code = function.__code__
        node.own += [b"function", _text(function.__name__), constant(code) or b""]
        for value in (function.__defaults__, function.__kwdefaults__):
            node.own.append(self._tell_all(value, node))
        assigned = self._assignments(function)
        for cell in function.__closure__ or ():
            is_state = id(cell) in assigned.cells
            node.has_state |= is_state
            node.own.append(_STATE if is_state else self._cell(cell, node))
        for name, value in sorted(vars(function).items()):
            is_state = name in assigned.attributes
            node.has_state |= is_state
            node.own += [_text(name), _STATE if is_state else self._tell(value, node)]
        own = function.__globals__
        if library(own) is not None:
            return
        for name in names(code).loaded:
            if name in assigned.stored:
                node.has_state = True
                node.own += [_text(name), _STATE]
            elif name in own:
                node.own += [_text(name), self._tell(own[name], node)]
        node.has_state |= bool(names(code).stored)

    def _cell(self, cell: CellType, node: _Node) -> bytes:
        try:
            return self._tell(cell.cell_contents, node)
        except ValueError:
            return b"empty"

    def _class(self, cls: type, node: _Node) -> None:
        node.own += [b"class", _text(cls.__qualname__), self._tell(type(cls), node)]
        node.own += [self._tell(base, node) for base in cls.__bases__]
        attributes = self._assignments(cls).attributes
        first = _first.get(cls)
        if first is None:
            first = {name: constant(value) for name, value in list(vars(cls).items())}
            _first.set(cls, first)
        members = vars(cls).get("_member_map_")
        if isinstance(members, dict):
            for name, member in members.items():
                node.own += [_text(name), self._tell(member._value_, node)]
        # What a class got since is state, as are the caches that Python keeps in it.
        for name in sorted(first):
            value = vars(cls).get(name)
            is_member = isinstance(members, dict) and name in members
            if name in _UNTOLD or name in attributes or is_member or _is_slot(value, cls):
                continue
            told = first[name]
            if name == "__annotations__":
                told = self._tell_all(value, node) if value else b""
            if told != b"":
                node.own += [_text(name), self._tell(value, node) if told is None else told]

    def _other(self, obj: Any, node: _Node) -> None:
        kind = type(obj).__name__
        node.is_shared = not is_function(obj)
        node.own += [_text(kind), _text(name_of(obj) or "")]
        if kind == "_lru_cache_wrapper":
            node.own += [constant(tuple(obj.cache_parameters().values())) or b""]
            node.own += [self._tell(obj.__wrapped__, node)]
        elif kind == "NewType":
            node.own += [self._tell(obj.__supertype__, node)]
        elif kind in ("TypeVar", "ParamSpec", "TypeVarTuple"):
            for name in ("__bound__", "__covariant__", "__contravariant__", "__constraints__"):
                node.own += [self._tell_all(getattr(obj, name, None), node)]
        elif kind == "TypeAliasType":
            node.own += [self._tell(obj.__value__, node)]
        else:
            # An object that its module has under a name, as one of a kind.
            node.own += [self._tell(type(obj), node)]

    def _assignments(self, obj: Any) -> _Assigned:
        """Return what the code of an object and of its module assigns to."""
        module = module_of(obj) or ""
        own = _Assigned()
        own.add(obj)
        known = self._assigned.get(module)
        if known is None and is_local(module):
            known = self._assigned[module] = _Assigned()
            for value in list(vars(sys.modules[module]).values()):
                if module_of(value) == module:
                    known.add(value)
            file = getattr(sys.modules[module], "__file__", None)
            if isinstance(file, str):
                known.attributes |= attributes_in(file)
        if known is not None:
            own.stored |= known.stored
            own.attributes |= known.attributes
            own.cells |= known.cells
        return own

    def _tell_all(self, value: Any, node: _Node) -> bytes:
        if type(value) is tuple:
            return b"(%b)" % b",".join(self._tell(item, node) for item in value)
        if type(value) is dict:
            items = ((_text(str(key)), item) for key, item in value.items())
            return b"{%b}" % b",".join(
                key + b":" + self._tell(item, node) for key, item in sorted(items, key=_first_of)
            )
        return self._tell(value, node)

    def _tell(self, value: Any, node: _Node) -> bytes:
        """Return what a value is; definitions among it become some that the node uses."""
        known = constant(value)
        if known is not None:
            return known
        if is_definition(value):
            if travels(value):
                node.used.append(value)
                return b"@"
            if type(value) is ModuleType:
                return b"module " + _text(value.__name__)
            return b"named " + _text(f"{module_of(value)}.{name_of(value)}")
        kind = type(value)
        if kind in (staticmethod, classmethod, property, MethodType):
            inner = [getattr(value, name, None) for name in ("fget", "fset", "fdel", "__func__")]
            if kind is MethodType:
                inner.append(value.__self__)
            return _text(kind.__name__) + self._tell_all(tuple(inner), node)
        if kind is tuple:
            return self._tell_all(value, node)
        if kind is BuiltinFunctionType and isinstance(value.__self__, (ModuleType, type)):
            return b"named " + _text(f"{value.__module__}.{value.__qualname__}")
        if isinstance(vars(kind).get("_member_map_"), dict):
            return self._tell(kind, node) + _text(str(value._name_))
        return self._library(value, node)

    def _library(self, value: Any, node: _Node) -> bytes:
        """Return what an object of the standard library is that holds definitions."""
        kind = type(value)
        if kind.__module__ in ("typing", "types") and hasattr(value, "__origin__"):
            inner = (value.__origin__, getattr(value, "__args__", ()))
            return b"alias" + self._tell_all(inner, node)
        if kind.__module__ == "typing":
            return _text(repr(value))
        if kind.__module__ == "functools":
            if kind.__name__ in ("partial", "partialmethod"):
                inner = (value.func, value.args)
                told = self._tell_all(inner, node) + self._tell_all(dict(value.keywords), node)
                return b"partial" + told
            if kind.__name__ == "cached_property":
                return b"cached" + self._tell(value.func, node)
            if kind.__name__ == "singledispatchmethod":
                cases = value.dispatcher.registry.items()
                named = {f"{module_of(cls)}.{cls.__qualname__}": case for cls, case in cases}
                return b"dispatch" + self._tell_all(named, node)
        node.has_state = True
        return _STATE


class _Assigned:
    """What code assigns to, which makes it state."""

    __slots__ = ("attributes", "cells", "stored")

    def __init__(self) -> None:
        self.stored: set[str] = set()
        self.attributes: set[str] = set()
        # Cells of closures, by their ids.
        self.cells: set[int] = set()

    def add(self, value: Any) -> None:
        """Add what a function does, or those of a class do."""
        for held in list(vars(value).values()) if isinstance(value, type) else [value]:
            for function in _functions(held):
                used = names(function.__code__)
                self.stored |= used.stored
                self.attributes |= used.attributes
                variables = zip(
                    function.__code__.co_freevars, function.__closure__ or (), strict=False
                )
                self.cells.update(id(cell) for name, cell in variables if name in used.kept)


def _functions(value: Any) -> list[FunctionType]:
    kind = type(value)
    if kind is property:
        inner = [value.fget, value.fset, value.fdel]
    elif kind in (staticmethod, classmethod):
        inner = [value.__func__, getattr(value.__func__, "__wrapped__", None)]
    elif kind.__module__ == "functools":
        inner = [getattr(value, "func", None), getattr(value, "__wrapped__", None)]
    else:
        inner = [value]
    return [function for function in inner if type(function) is FunctionType]


def _is_slot(value: Any, cls: type) -> bool:
    kinds = (MemberDescriptorType, GetSetDescriptorType)
    return isinstance(value, kinds) and value.__objclass__ is cls


def _first_of(item: tuple[bytes, Any]) -> bytes:
    return item[0]


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
