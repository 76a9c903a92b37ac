"""Snapshots of what a digest was made of, to check cheaply whether it is still valid.

Everything that goes into a digest is either immutable, or part of an object that is inspected by
itself. A snapshot lists what each of these objects consisted of. If they all still consist of the
very same objects, the digest is valid. Where that is not certain, no snapshot is taken.
"""

from __future__ import annotations

from operator import is_
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    ModuleType,
    UnionType,
)

from . import holders
from .classes import is_struct, registered
from .constants import PLAIN, constant
from .data import attributes, describes
from .hints import resolved
from .kinds import IMPORTED, OF_MEMBERS, WRAPPERS, hints, inner, is_definition, is_told
from .local import library, module_of, name_of
from .names import names
from .table import keys
from .weak import WeakTable, oldest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .assigned import Assigned, Assignments
    from .node import Node
    from .table import Digests

    # The digests, whether it is a function with its own state, whether everything could be
    # inspected, and whether its code uses variables that change.
    Found = tuple[Digests, bool, bool, bool]

# Snapshots keep what they list alive, so their number and their size are limited.
_KEPT_MAX = 2048
_PARTS_MAX = 128
_ITEMS_MAX = 256
_TEXT_MAX = 1024

_FIXED = (BuiltinFunctionType, CodeType, GetSetDescriptorType, MemberDescriptorType)
_TOLD_INLINE = {"__annotations__", *OF_MEMBERS}
_ABSENT = object()
_EMPTY = object()

_kept: dict[int, Snapshot] = {}
# How many more times a definition must be digested before the next snapshot, which doubles when a
# snapshot was not valid later: a function that is created for a single call is never worth one.
_pauses = WeakTable()
_PAUSE_MAX = 64


class Snapshot:
    """The objects that a digest was made of."""

    __slots__ = ("found", "modules", "named", "obj", "parts")

    def __init__(self, obj: Any, found: Found) -> None:
        self.obj = obj
        self.found = found
        self.parts: list[tuple[Any, list[Any]]] = []
        self.modules: list[tuple[str, Assigned]] = []
        # Definitions, with the names they are encoded as, or None.
        self.named: list[tuple[Any, bytes | None]] = []

    def is_valid(self, assignments: Assignments, name: Callable[[Any], bytes | None]) -> bool:
        """Return whether nothing has changed."""
        for module, assigned in self.modules:
            if assignments.of_module(module) is not assigned:
                return False
        for part, before in self.parts:
            now = contents(part, assignments)
            if now is None or len(now) != len(before) or not all(map(is_, now, before)):
                return False
        return all(name(value) == told for value, told in self.named)


def parts(obj: Any) -> list[Any]:
    """Return what the snapshot of a definition lists, if there is one."""
    snapshot = _kept.get(id(obj))
    return [] if snapshot is None else [part for part, _ in snapshot.parts]


def find(obj: Any, assignments: Assignments, name: Callable[[Any], bytes | None]) -> Found | None:
    """Return the digests of a definition if they are still valid, or None."""
    snapshot = _kept.get(id(obj))
    if snapshot is None or snapshot.obj is not obj:
        return None
    if snapshot.is_valid(assignments, name):
        return snapshot.found
    # A definition that keeps changing is not worth a snapshot either.
    _kept.pop(id(obj), None)
    _put_off(obj)
    return None


def _put_off(obj: Any) -> None:
    """Delay the next snapshot of a definition, because the last one was not valid."""
    _, pause = _pauses.get(obj) or (0, 1)
    pause = min(2 * pause, _PAUSE_MAX)
    _pauses.set(obj, (pause, pause))


def is_due(obj: Any) -> bool:
    """Return whether to take a snapshot of a definition, which was just digested."""
    left, pause = _pauses.get(obj) or (1, 1)
    _pauses.set(obj, (max(left - 1, 0), pause))
    return bool(left == 0)


def take(
    obj: Any,
    found: Found,
    nodes: list[tuple[Any, Node, list[Any] | None]],
    assignments: Assignments,
    name: Callable[[Any], bytes | None],
) -> None:
    """Take a snapshot of what digests were made of, if it can be checked later.

    Parameters
    ----------
    obj : object
        The definition.
    found : tuple
        Its digests and flags.
    nodes : list of tuple
        The inspected objects, the node of each, and its contents from before it was inspected, so
        that a change by another thread in the meantime is noticed at the next check.
    assignments : Assignments
        What code assigns to.
    name : callable
        Returns the name of a definition that is pickled by reference, or None.
    """
    if len(nodes) > _PARTS_MAX:
        _put_off(obj)
        return
    made = Snapshot(obj, found)
    parts = {id(part) for part, _, _ in nodes}
    modules = set()
    for part, node, before in nodes:
        if before is None or not _are_fixed(before, parts):
            _put_off(obj)
            return
        made.parts.append((part, before))
        made.named += [(value, name(value)) for value in node.named]
        if is_definition(part):
            made.named.append((part, name(part)))
            is_module = type(part) is ModuleType
            modules.add(part.__name__ if is_module else module_of(part) or "")
    made.modules = [(module, assignments.of_module(module)) for module in modules]
    while len(_kept) >= _KEPT_MAX:
        _kept.pop(oldest(_kept, 0), None)
    _kept[id(obj)] = made


def contents(obj: Any, assignments: Assignments) -> list[Any] | None:
    """Return everything about an object that goes into a digest, in a fixed order, or None."""
    key = keys.get(obj)
    if key is not None:
        return [key[2], key[3]]
    kind = type(obj)
    if kind is FunctionType:
        return _of_function(obj, assignments)
    if isinstance(obj, type):
        return _of_class(obj)
    if kind is ModuleType:
        return [it for pair in list(vars(obj).items()) if pair[0] not in IMPORTED for it in pair]
    if kind.__name__ == "_lru_cache_wrapper":
        return [obj.__wrapped__, name_of(obj)]
    if kind in WRAPPERS:
        return []
    return _of_data(obj, kind)


def _of_function(function: FunctionType, assignments: Assignments) -> list[Any]:
    namespace = function.__globals__
    home = library(namespace)
    code = function.__code__
    found = [code, function.__name__, function.__module__, function.__defaults__, home]
    if function.__closure__:
        kept = assignments.cells(function)
        for cell in function.__closure__:
            found.append(holders.is_assigned(cell))
            try:
                found += cell.cell_contents, id(cell) in kept
            except ValueError:
                found.append(_EMPTY)
    told = hints(function)
    if type(told) is not dict:
        found.append(told)
        told = None
    for named in (function.__kwdefaults__, vars(function), told):
        if named:
            found += len(named), *named, *named.values()
    if home is None:
        found += [namespace.get(name, _ABSENT) for name in names(code).loaded]
    return found


def _of_class(cls: Any) -> list[Any] | None:
    if type(cls) is not type and is_struct(cls):
        return None
    found = [type(cls), cls.__qualname__, *cls.__bases__]
    held = vars(cls)
    for name, value in list(held.items()):
        if name in _TOLD_INLINE and type(value) is dict:
            value = resolved(cls, value) if name == "__annotations__" else value
            found += name, len(value), *value, *value.values()
        elif is_told(name):
            found += name, value
    members = held.get("_member_map_")
    if type(members) is dict:
        found += [it for member in list(members.values()) for it in vars(member).values()]
    if "_abc_impl" in held:
        found += registered(cls)
    return found


def _of_data(obj: Any, kind: type) -> list[Any] | None:
    if kind in (list, set):
        return [*obj] if len(obj) <= _ITEMS_MAX else None
    if kind is dict:
        return [*obj, *obj.values()] if len(obj) <= _ITEMS_MAX else None
    if not describes(kind):
        return None
    found: list[Any] = []
    for name, value in attributes(obj).items():
        # Each field of a dataclass has such a mapping, usually empty.
        is_empty = type(value) is MappingProxyType and not value
        found += name, _EMPTY if is_empty else value
    return found


def _is_fixed(value: Any, parts: set[int]) -> bool:
    """Return whether a value is immutable, or is listed by itself."""
    kind = type(value)
    if kind in (str, bytes):
        return len(value) <= _TEXT_MAX
    if kind in PLAIN or kind in _FIXED or id(value) in parts or is_definition(value):
        return True
    if kind is tuple:
        return _are_fixed(value, parts)
    if kind in WRAPPERS:
        return _are_fixed(inner(value), parts)
    if kind is UnionType:
        return _are_fixed(value.__args__, parts)
    if kind.__module__ in ("typing", "types") and hasattr(value, "__origin__"):
        return _are_fixed((value.__origin__, *getattr(value, "__args__", ())), parts)
    if kind.__module__ == "typing":
        return True
    if value is _ABSENT or value is _EMPTY or isinstance(vars(kind).get("_member_map_"), dict):
        return True
    return constant(value) is not None


def _are_fixed(values: Iterable[Any], parts: set[int]) -> bool:
    return all(_is_fixed(value, parts) for value in values)
