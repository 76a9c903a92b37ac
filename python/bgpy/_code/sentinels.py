"""Objects that code compares by identity, such as ``_MISSING = object()``.

Such an object has no state, only its identity. It is known by its origin, as definitions are, so
that code of several messages, its default arguments and the arguments of calls mean the same one.
"""

from __future__ import annotations

import copyreg
from itertools import chain

from . import table
from .content import is_by_value
from .instances import new
from .kinds import HEAP_TYPE
from .weak import WeakTable, oldest, weak_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

# Number of plain objects that are kept alive, as they cannot be referenced weakly: those that were
# sent or received last.
_KEPT_MAX = 4096

# Methods that say how an object is pickled.
_REDUCERS = {"__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__"}

# Plain objects with their origins, by id.
_plain: dict[int, tuple[object, bytes]] = {}
# Their ids in the order in which they are forgotten.
_recent: dict[int, None] = {}
# The origins of instances of classes.
_origins = WeakTable()
_by_origin: dict[bytes, Callable[[], Any]] = {}


def reduce(obj: Any) -> Any:
    """Reduce a sentinel; None for any other object."""
    if type(obj) is object:
        _, origin = _plain.setdefault(id(obj), (obj, table.new_origin()))
    else:
        origin = _origins.get(obj)
        if origin is None or not _is_stateless(obj):
            return None
    _remember(obj, origin)
    return sentinel, (origin, type(obj))


def note(values: Iterable[Any]) -> None:
    """Note that code refers to these values, among which there may be sentinels."""
    for value in chain.from_iterable(it if type(it) is tuple else (it,) for it in values):
        if is_by_value(type(value)) and _origins.get(value) is None and _is_stateless(value):
            _origins.first(value, table.new_origin())


def sentinel(origin: bytes, cls: Any) -> Any:
    """Return the sentinel that is meant, or a new one."""
    known = _by_origin.get(origin)
    found = None if known is None else known()
    if type(found) is not cls or not _is_stateless(found):
        if found is not None:
            # It has got a state here, and is no sentinel any more.
            _by_origin.pop(origin, None)
        found = new(cls)
    found = _remember(found, origin)
    if cls is object:
        _plain.setdefault(id(found), (found, origin))
    else:
        _origins.first(found, origin)
    return found


def _is_stateless(obj: Any) -> bool:
    kind = type(obj)
    if kind is object:
        return True
    if not kind.__flags__ & HEAP_TYPE or issubclass(kind, type) or not kind.__weakrefoffset__:
        return False
    own = [name for base in kind.__mro__[:-1] for name in vars(base)]
    if not _REDUCERS.isdisjoint(own):
        return False
    try:
        make, arguments, *rest = obj.__reduce_ex__(5)
    except Exception:
        # The pickler raises it too, and knows which part it is.
        return False
    default: Any = copyreg.__newobj__  # type: ignore[attr-defined]
    return make is default and arguments == (kind,) and not any(rest)


def _remember(obj: Any, origin: bytes) -> Any:
    """Let an origin lead to an object, unless it leads to another one, which is returned then."""
    if type(obj) is not object:
        entry = weak_entry(_by_origin, origin, obj)
        found = _by_origin.setdefault(origin, entry)()
        if found is None:
            _by_origin[origin], found = entry, obj
        return found
    found = _by_origin.setdefault(origin, lambda: obj)()
    _recent.pop(id(found), None)
    _recent[id(found)] = None
    while len(_recent) > _KEPT_MAX:
        oldest_id = oldest(_recent, None)
        _recent.pop(oldest_id, None)
        _, forgotten = _plain.pop(oldest_id, (None, b""))
        _by_origin.pop(forgotten, None)
    return found
