"""What makes two definitions the same: digests of their code and of the data that it uses.

Code counts, as do defaults, bases, members of enumerations and constants, and whatever is used of
other definitions. Where a definition stands in its file does not count. What may be state of one
process is told apart: variables that code assigns to, and containers and objects that may change.
"""

from __future__ import annotations

from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)

from .assigned import Assignments
from .classes import is_struct, registered, struct_factory
from .constants import constant, digest
from .data import held, is_plain, unlike_any
from .local import MAIN, is_local, is_named, library, module_of, name_of
from .names import names
from .table import ALIKE, CODE, DATA, STATE, WeakTable, keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .table import Digests

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
# Types that are not of this kind are built in.
_HEAP_TYPE = 1 << 9
_WRAPPERS = (staticmethod, classmethod, property, MethodType)
# Objects beyond so many are not looked into.
_NODES_MAX = 4_000

# The constants of a class, as they were when they were first looked at.
_first = WeakTable()


def travels(obj: Any) -> bool:
    """Tell whether a definition has to go along, because the other side may lack it."""
    if isinstance(obj, type) and not obj.__flags__ & _HEAP_TYPE:
        return False
    if type(obj) is ModuleType:
        return obj.__name__ != MAIN and (is_local(obj.__name__) or keys.get(obj) is not None)
    module = module_of(obj)
    if keys.get(obj) is not None or (module is not None and is_local(module)):
        return True
    return not is_named(obj)


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


class _Node:
    """What a definition or an object is by itself, and what it uses."""

    __slots__ = (
        "changes",
        "counts",
        "facts",
        "has_state",
        "is_shared",
        "later",
        "more",
        "own",
        "used",
    )

    def __init__(self) -> None:
        self.own: list[bytes] = []
        # Code, and data that nothing changes.
        self.used: list[Any] = []
        # Data that code of its module may change: constants, and the rest.
        self.facts: list[bytes] = []
        self.more: list[Any] = []
        # What code assigns to: constants, and the rest.
        self.counts: list[bytes] = []
        self.later: list[Any] = []
        # Whether the code of the module changes containers.
        self.changes = False
        self.has_state = False
        # Classes and modules are one object for everybody who uses them, whatever their state.
        self.is_shared = False


class Content:
    """Digests of definitions, all as they are at the moment."""

    def __init__(self) -> None:
        self._nodes: dict[int, tuple[Any, _Node]] = {}
        self._names: dict[int, tuple[Any, bytes | None]] = {}
        self._assignments = Assignments()

    def digests(self, obj: Any) -> tuple[Digests, bool]:
        """Return the digests of a definition, and whether it has state of its own."""
        whole, counts, is_plain = self._walk(obj, STATE)
        # Most have nothing that would make a difference.
        data, _, _ = (whole, counts, True) if is_plain else self._walk(obj, DATA)
        code, _, _ = (whole, counts, True) if is_plain else self._walk(obj, CODE)
        state = digest(whole + counts).digest() if counts else whole
        return (code, data, state), self._has_state(obj)

    def code(self, obj: Any) -> bytes:
        """Return the first of the digests."""
        return self._walk(obj, CODE)[0]

    def _walk(self, obj: Any, reach: int) -> tuple[bytes, bytes, bool]:
        """Return the digest of what is in reach, that of its counts, and whether all is in any.

        Definitions hold each other: each is told once, and then by its place.
        """
        places, queue = {id(obj): 0}, [obj]
        parts, counts = [], []
        is_plain = True
        for part in queue:
            node = self._node(part)
            parts += node.own
            counts += node.counts
            used = node.used
            if node.more or node.later or node.facts:
                is_plain = False
                parts += node.facts if reach else ()
                used = [
                    *used,
                    *(node.more if reach else ()),
                    *(node.later if reach > DATA else ()),
                ]
            for it in used:
                place = places.get(id(it))
                if place is None:
                    place = places[id(it)] = len(queue)
                    queue.append(it)
                parts.append(b"@%d" % place)
            parts.append(b";")
        return _digest(parts), _digest(counts) if counts else b"", is_plain

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
            node.own.append(b"built %b" % key[2][DATA])
            node.is_shared = bool(key[3] & ALIKE)
        elif type(obj) is FunctionType:
            self._function(obj, node)
        elif isinstance(obj, type):
            node.is_shared = True
            self._class(obj, node)
        elif type(obj) is ModuleType:
            node.is_shared = True
            self._module(obj, node)
        elif is_definition(obj):
            self._other(obj, node)
        elif len(self._nodes) < _NODES_MAX:
            if type(obj) in _WRAPPERS:
                node.own.append(self._tell(obj, node))
                return
            is_own = travels(type(obj))
            told, inside = held(obj, is_own)
            node.own += [self._tell(type(obj), node), *told]
            node.own += [self._tell(value, node) for value in inside]

        else:
            node.own.append(unlike_any())

    def _module(self, module: ModuleType, node: _Node) -> None:
        assigned = self._assignments.of_module(module.__name__)
        node.changes = assigned.changes
        node.own.append(b"module " + _text(module.__name__))
        for name, value in sorted(vars(module).items()):
            if name not in _IMPORTED:
                node.own.append(_text(name))
                self._variable(value, node, name in assigned.stored)

    def _function(self, function: FunctionType, node: _Node) -> None:
        code = function.__code__
        assigned = self._assignments.of(function)
        node.changes = assigned.changes
        node.own += [b"function", _text(function.__name__), constant(code) or b""]
        for value in (function.__defaults__, function.__kwdefaults__):
            node.own.append(self._tell_all(value, node))
        for cell in function.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:
                node.own.append(b"empty")
            else:
                self._variable(value, node, id(cell) in assigned.cells)
        for name, value in sorted(vars(function).items()):
            node.own.append(_text(name))
            self._variable(value, node, name in assigned.attributes)
        own = function.__globals__
        if library(own) is not None:
            return
        for name in names(code).loaded:
            if name in own:
                node.own.append(_text(name))
                self._variable(own[name], node, name in assigned.stored)
        node.has_state |= bool(names(code).stored)

    def _variable(self, value: Any, node: _Node, is_state: bool) -> None:
        """Tell the value of a variable, which is state if code assigns to it."""
        node.has_state |= is_state
        if not is_state or is_definition(value):
            node.own.append(self._tell(value, node))
        else:
            _add_state(value, node)

    def _class(self, cls: Any, node: _Node) -> None:
        assigned = self._assignments.of(cls)
        node.changes = assigned.changes
        node.own += [b"class", _text(cls.__qualname__), self._tell(type(cls), node)]
        node.own += [self._tell(base, node) for base in cls.__bases__]
        node.counts += [_text(it.__qualname__) for it in registered(cls)]
        first = _first.get(cls)
        if first is None:
            first = {name: constant(value) for name, value in list(vars(cls).items())}
            _first.set(cls, first)
        members = vars(cls).get("_member_map_")
        members = members if isinstance(members, dict) else {}
        for name, member in members.items():
            node.own += [_text(name), self._tell(member._value_, node)]
        if is_struct(cls):
            defaults = cls.__struct_defaults__
            node.own.append(self._tell_all(defaults, node))
            node.own.append(self._tell_all(tuple(map(struct_factory, defaults)), node))
        for name, value in sorted(vars(cls).items()):
            if name in _UNTOLD or name in members or _is_slot(value, cls):
                continue
            if name.startswith("__pydantic_") and name != "__pydantic_fields__":
                # What follows from the fields, with addresses in it.
                continue
            if name not in first:
                # What a class got since is state, but for the caches that Python keeps in it.
                if not name.startswith("__"):
                    node.counts.append(_text(name))
                    _add_state(value, node)
            elif name in assigned.attributes and first[name] is not None:
                node.counts.append(_text(name))
                _add_state(value, node)
            elif name in assigned.outside and first[name] is not None:
                node.facts += [_text(name), first[name]]
                _add_state(value, node)
            elif name == "__annotations__":
                # An empty one may be there or not.
                node.own += [_text(name), self._tell_all(value, node)] if value else []
            else:
                node.own += [_text(name), first[name] or self._tell(value, node)]
                if first[name] is not None:
                    _add_state(value, node)

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
            told = self._named(value)
            if told is None:
                node.used.append(value)
                return b"@"
            return told
        kind = type(value)
        if kind in _WRAPPERS:
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

    def _named(self, value: Any) -> bytes | None:
        """Return how a definition is named that does not travel."""
        known = self._names.get(id(value))
        if known is not None:
            return known[1]
        told = None
        if not travels(value):
            kind = b"module " if type(value) is ModuleType else b"named "
            told = kind + _text(f"{module_of(value)}.{name_of(value)}")
        self._names[id(value)] = (value, told)
        return told

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
        is_own = travels(kind)
        if is_own:
            node.used.append(kind)
        if node.changes or not is_plain(value):
            node.more.append(value)
            return b"?"
        node.used.append(value)
        return b"@"


def _digest(parts: list[bytes]) -> bytes:
    sized = b"".join([b"%d:%b" % (len(part), part) for part in parts])
    return digest(sized).digest()


def _add_state(value: Any, node: _Node) -> None:
    told = constant(value)
    if told is None:
        node.later.append(value)
    else:
        node.counts.append(told)


def _is_slot(value: Any, cls: type) -> bool:
    kinds = (MemberDescriptorType, GetSetDescriptorType)
    return isinstance(value, kinds) and value.__objclass__ is cls


def _first_of(item: tuple[bytes, Any]) -> bytes:
    return item[0]


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
