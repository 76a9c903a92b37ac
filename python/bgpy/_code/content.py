"""Digests of definitions, by which two of them are the same or not.

Code counts, and defaults, bases, members of enumerations, constants, and the other definitions that
are used. The position in a file does not count. Possible state of one process is digested
separately: variables that code assigns to, and containers and objects that may change.
"""

from __future__ import annotations

import sys
from operator import itemgetter
from types import (
    BuiltinFunctionType,
    FunctionType,
    ModuleType,
    UnionType,
)

from . import holders, snapshot, table
from .assigned import Assignments
from .classes import is_struct, registered, struct_factory, struct_options
from .constants import constant, digest
from .data import UNKNOWN, attributes, held, is_plain, may_change
from .encodings import added, bare, doc, instructions, is_slot, of_members
from .hints import resolved
from .kinds import (
    HEAP_TYPE,
    IMPORTED,
    OF_MEMBERS,
    WRAPPERS,
    hints,
    inner,
    is_definition,
    is_function,
    is_told,
)
from .local import MAIN, is_local, is_named, library, module_of, name_of
from .names import names
from .node import Node, framed, text
from .table import ALIKE, CODE, DATA, STATE, keys
from .weak import WeakTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .outlines import Outlines
    from .snapshot import Found

# Number of objects whose contents are inspected.
_NODES_MAX = 4_000

# The constants of a class as they were when it was first inspected.
_first = WeakTable()
# The names of built-in types, which are never released.
_built_in: dict[int, tuple[Any, bytes | None]] = {}


def is_by_value(obj: Any) -> bool:
    """Return whether a definition is pickled by value, because the receiver may lack it."""
    if isinstance(obj, type) and not obj.__flags__ & HEAP_TYPE:
        return False
    if type(obj) is ModuleType:
        if sys.modules.get(obj.__name__) is not obj:
            return True
        return obj.__name__ != MAIN and (is_local(obj.__name__) or keys.get(obj) is not None)
    if keys.get(obj) is not None:
        return True
    module = module_of(obj)
    return (module is not None and is_local(module)) or not is_named(obj)


class Content:
    """Digests of definitions in their current state, each made once."""

    def __init__(
        self,
        assignments: Assignments | None = None,
        is_raw: bool = False,
        outlines: Outlines | None = None,
    ) -> None:
        # Whether definitions that were built here are digested as they are now, not as they came.
        self._is_raw = is_raw
        # Whether no variable counts as state.
        self._is_full = assignments is not None
        self._nodes: dict[int, tuple[Any, Node]] = {}
        self._names: dict[int, tuple[Any, bytes | None]] = {}
        self._assignments = assignments or Assignments()
        # The contents of objects from before they were inspected, if a snapshot is due.
        self._is_due = False
        self._before: dict[int, list[Any] | None] = {}
        # The digests for which nothing counts as state.
        self._full: Content | None = None
        self._outlines = outlines

    def digests(self, obj: Any) -> Found:
        """Return the digests of a definition, with three flags.

        They are whether it is a function with its own state, whether everything could be inspected,
        and whether its code uses variables that change.
        """
        if self._is_raw:
            return self._made(obj)[0]
        if self._outlines is not None:
            self._outlines.note_parts(obj)
        found = snapshot.find(obj, self._assignments, self._named)
        if found is None:
            is_due = snapshot.is_due(obj)
            self._is_due |= is_due
            found, parts = self._made(obj)
            if is_due:
                nodes = [(*self._nodes[id(part)], self._before.get(id(part))) for part in parts]
                snapshot.take(obj, found, nodes, self._assignments, self._named)
        return found

    def _made(self, obj: Any) -> tuple[Found, list[Any]]:
        state, parts, has_data, has_state, is_certain = self._walk(obj, STATE)
        # Most definitions have neither state nor data, so their digests are equal.
        data = self._walk(obj, DATA)[0] if has_state else state
        code = self._walk(obj, CODE)[0] if has_data else data
        if has_state or has_data:
            # Whether a variable is state depends on the rest of the module, but the digest of
            # everything must not.
            if self._full is None:
                self._full = Content(self._assignments, self._is_raw)
            state, _, _, _, is_certain = self._full._walk(obj, STATE)
        digests = (code, data, state, digest(bare(obj)).digest(), digest(_ties(parts)).digest())
        is_bound = any(self._nodes[id(part)][1].is_bound for part in parts)
        return (digests, is_function(obj) and self._has_state(obj), is_certain, is_bound), parts

    def parts(self, obj: Any) -> list[Any]:
        """Return all objects that a definition consists of."""
        return self._walk(obj, STATE)[1]

    def told(self, obj: Any) -> bytes | None:
        """Return the digest of an object and of the definitions in it; None if it is not known."""
        told, parts, _, _, is_certain = self._walk(obj, STATE)
        return digest(told + _ties(parts)).digest() if is_certain else None

    def is_by_value(self, obj: Any) -> bool:
        """Return whether a definition must be pickled by value, as of the first time asked."""
        return self._named(obj) is None

    def code(self, obj: Any) -> bytes:
        """Return the first of the digests."""
        return self.digests(obj)[0][CODE]

    def _walk(self, obj: Any, reach: int) -> tuple[bytes, list[Any], bool, bool, bool]:
        """Return the digest of an object and everything in reach, and the list of those parts.

        The last three items are whether data was found that needs a larger reach, whether state
        was, and whether everything could be inspected.

        Definitions refer to each other: each is digested once, and then by its index.
        """
        places, queue = {id(obj): 0}, [obj]
        parts = []
        has_data = has_state = False
        for part in queue:
            node = self._node(part)
            used = node.used
            has_state |= node.has_counts
            if node.more or node.later or node.facts:
                has_data |= bool(node.more or node.facts)
                has_state |= bool(node.later)
                parts.append(node.told_with_facts() if reach else node.told())
                used = [
                    *used,
                    *(node.more if reach else ()),
                    *(node.later if reach > DATA else ()),
                ]
            else:
                parts.append(node.told())
            for it in used:
                place = places.get(id(it))
                if place is None:
                    place = places[id(it)] = len(queue)
                    queue.append(it)
                parts.append(b"@%d" % place)
            parts.append(b";")
        joined = b"".join(parts)
        told = digest(joined).digest()
        return told, queue, has_data, has_state, UNKNOWN not in joined

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

    def _node(self, obj: Any) -> Node:
        known = self._nodes.get(id(obj))
        if known is None:
            known = self._nodes[id(obj)] = (obj, Node())
            if self._outlines is not None:
                self._outlines.note(obj)
            if self._is_due:
                self._before[id(obj)] = snapshot.contents(obj, self._assignments)
            self._look_at(obj, known[1])
        return known[1]

    def _look_at(self, obj: Any, node: Node) -> None:
        key = None if self._is_raw else keys.get(obj)
        if key is not None:
            # It was built from a message, so its digest is that of its key.
            node.own.append(b"built %b" % key[2][STATE if self._is_full else DATA])
            node.has_counts = key[2][STATE] != key[2][DATA]
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
            if type(obj) in WRAPPERS:
                node.own.append(self._tell(obj, node))
                return
            try:
                told, inside = held(obj, self.is_by_value(type(obj)))
            except Exception:
                # Its own methods raise when it is inspected.
                told, inside = [UNKNOWN], []
            node.own += [self._tell(type(obj), node), *told]
            node.own += [self._tell(value, node) for value in inside]
        else:
            node.own.append(UNKNOWN)

    def _module(self, module: ModuleType, node: Node) -> None:
        assigned = self._assignments.of_module(module.__name__)
        node.changes = assigned.changes and not self._is_full
        node.own.append(b"module " + text(module.__name__))
        for name, value in sorted(vars(module).items()):
            if name not in IMPORTED:
                node.own.append(text(name))
                self._variable(value, node, name in assigned.stored, False)

    def _function(self, function: FunctionType, node: Node) -> None:
        code = function.__code__
        assigned = self._assignments.of(function)
        cells = self._assignments.cells(function) if function.__closure__ else ()
        node.changes = assigned.changes and not self._is_full
        node.own += [b"function", text(function.__name__), instructions(function)]
        for value in (function.__defaults__, function.__kwdefaults__, hints(function)):
            node.own.append(self._tell_all(value, node))
        for cell in function.__closure__ or ():
            if holders.is_assigned(cell):
                node.has_state = node.is_bound = True
            try:
                value = cell.cell_contents
            except ValueError:
                node.own.append(b"empty")
            else:
                self._variable(value, node, id(cell) in cells, assigned.changes)
        for name, value in sorted(vars(function).items()):
            node.own.append(text(name))
            self._variable(value, node, name in assigned.attributes, assigned.changes)
        own = function.__globals__
        if library(own) is not None:
            # The globals of an installed module are not part of the content.
            node.is_bound = False
            return
        for name in names(code).loaded:
            if name in own:
                node.own.append(text(name))
                self._variable(own[name], node, name in assigned.stored, assigned.changes)
        stored = names(code).stored
        node.has_state |= bool(stored)
        node.is_bound |= bool(stored)

    def _variable(self, value: Any, node: Node, is_state: bool, changes: bool) -> None:
        """Add the value of a variable, which is state if code assigns to it."""
        node.has_state |= is_state
        node.is_bound |= is_state or may_change(value, changes)
        if self._is_full or not is_state or is_definition(value):
            node.own.append(self._tell(value, node))
        else:
            node.add_state(value)

    def _class(self, cls: Any, node: Node) -> None:
        assigned = self._assignments.of(cls)
        node.changes = assigned.changes and not self._is_full
        node.own += [b"class", text(cls.__qualname__), self._tell(type(cls), node)]
        node.own += [self._tell(base, node) for base in cls.__bases__]
        others = [text(it.__qualname__) for it in registered(cls)]
        node.has_counts = bool(others)
        node.own += others if self._is_full else []
        first = _first.get(cls)
        if first is None:
            first = {name: constant(value) for name, value in list(vars(cls).items())}
            _first.set(cls, first)
        members = vars(cls).get("_member_map_")
        members = members if isinstance(members, dict) else {}
        for name, member in members.items():
            node.own += [text(name), self._tell(member._value_, node)]
            if self._is_full:
                node.own.append(self._tell_all(added(member), node))
        if is_struct(cls):
            defaults = cls.__struct_defaults__
            node.own.append(self._tell_all(defaults, node))
            node.own.append(self._tell_all(tuple(map(struct_factory, defaults)), node))
            node.own.append(self._tell_all(struct_options(cls), node))
        if any(attributes(vars(cls).get("__pydantic_decorators__")).values()):
            # Their repr contains the address of the class.
            node.own.append(UNKNOWN)
        node.own.append(doc(cls))
        for name, value in sorted(vars(cls).items()):
            if not is_told(name) or name in members or is_slot(value, cls):
                continue
            if self._is_full and name not in OF_MEMBERS and name != "__annotations__":
                if name in first or not name.startswith("__"):
                    node.own += [text(name), constant(value) or self._tell(value, node)]
            elif name not in first:
                # What a class got since is state, except the caches that Python keeps in it.
                if not name.startswith("__"):
                    node.add_state(value)
            elif name in assigned.attributes and first[name] is not None:
                node.add_state(value)
            elif name in assigned.outside and first[name] is not None:
                node.facts += [text(name), first[name]]
                node.add_state(value)
            elif name in OF_MEMBERS and (told := of_members(value, cls)) is not None:
                # This follows from the members, unless something was added to it.
                parts = node.facts if node.changes else node.own
                parts += [text(name), told]
            elif name == "__annotations__":
                # An empty dict and none at all are the same. The order counts.
                if value:
                    order = framed([text(str(it)) for it in value])
                    node.own += [text(name), self._tell_all(resolved(cls, value), node), order]
            else:
                node.own += [text(name), first[name] or self._tell(value, node)]
                if first[name] is not None:
                    node.add_state(value)

    def _other(self, obj: Any, node: Node) -> None:
        kind = type(obj).__name__
        node.is_shared = not is_function(obj)
        node.own += [text(kind), text(name_of(obj) or "")]
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
            # A singleton that its module has under a name.
            node.own += [self._tell(type(obj), node)]

    def _tell_all(self, value: Any, node: Node) -> bytes:
        if type(value) is tuple:
            return b"(%b)" % b",".join(self._tell(item, node) for item in value)
        if type(value) is dict:
            items = ((text(str(key)), item) for key, item in value.items())
            return b"{%b}" % b",".join(
                key + b":" + self._tell(item, node)
                for key, item in sorted(items, key=itemgetter(0))
            )
        return self._tell(value, node)

    def _tell(self, value: Any, node: Node) -> bytes:
        """Return the encoding of a value; definitions in it are added to those the node uses."""
        known = constant(value)
        if known is not None:
            return known
        if is_definition(value):
            told = self._named(value)
            if told is None:
                node.used.append(value)
                return b"@"
            if id(value) not in _built_in:
                node.named.append(value)
            return told
        kind = type(value)
        if kind in WRAPPERS:
            return text(kind.__name__) + self._tell_all(tuple(inner(value)), node)
        if kind is tuple:
            return self._tell_all(value, node)
        if kind is BuiltinFunctionType and isinstance(value.__self__, (ModuleType, type)):
            return b"named " + text(f"{value.__module__}.{value.__qualname__}")
        if isinstance(vars(kind).get("_member_map_"), dict):
            return self._tell(kind, node) + text(str(value._name_))
        return self._library(value, node)

    def _named(self, value: Any) -> bytes | None:
        """Return the name of a definition that is pickled by reference, or None."""
        known = self._names.get(id(value)) or _built_in.get(id(value))
        if known is not None:
            return known[1]
        told, names = None, self._names
        if not is_by_value(value):
            kind = b"module " if type(value) is ModuleType else b"named "
            told = kind + text(f"{module_of(value)}.{name_of(value)}")
            if isinstance(value, type) and not value.__flags__ & HEAP_TYPE:
                names = _built_in
        names[id(value)] = (value, told)
        return told

    def _library(self, value: Any, node: Node) -> bytes:
        """Return the encoding of an object of the standard library that contains definitions."""
        kind = type(value)
        if kind.__module__ in ("typing", "types") and hasattr(value, "__origin__"):
            parts = (value.__origin__, getattr(value, "__args__", ()))
            more = getattr(value, "__metadata__", ())
            return b"alias" + self._tell_all((parts, more), node)
        if kind is UnionType:
            return b"union" + self._tell_all(value.__args__, node)
        if kind.__module__ == "typing":
            return text(repr(value))
        if kind.__module__ == "functools":
            if kind.__name__ in ("partial", "partialmethod"):
                parts = (value.func, value.args)
                told = self._tell_all(parts, node) + self._tell_all(dict(value.keywords), node)
                return b"partial" + told
            if kind.__name__ == "cached_property":
                return b"cached" + self._tell(value.func, node)
            if kind.__name__ == "singledispatchmethod":
                cases = value.dispatcher.registry.items()
                named = {f"{module_of(cls)}.{cls.__qualname__}": case for cls, case in cases}
                return b"dispatch" + self._tell_all(named, node)
        node.has_state = True
        if self.is_by_value(kind):
            node.used.append(kind)
        if not self._is_full and (node.changes or not is_plain(value)):
            node.more.append(value)
            return b"?"
        node.used.append(value)
        return b"@"


def _ties(parts: list[Any]) -> bytes:
    """Return the origins of the definitions among some objects, and of those registered there."""
    found = [part for part in parts if is_definition(part)]
    found += [other for part in found if isinstance(part, type) for other in registered(part)]
    return b"".join(map(table.origin, found))
