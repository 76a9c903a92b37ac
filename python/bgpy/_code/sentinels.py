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
# The origins of instances of classes.
_origins = WeakTable()
_by_origin: dict[bytes, Callable[[], Any]] = {}


def reduce(obj: Any) -> Any:
    """Reduce a sentinel; None for any other object."""
    if type(obj) is object:
        _, origin = _plain.get(id(obj)) or (obj, table.new_origin())
    else:
        origin = _origins.get(obj)
        if origin is None or not _is_stateless(obj):
            return None
    _note(obj, origin)
    return sentinel, (origin, type(obj))


def note(values: Iterable[Any]) -> None:
    """Note that code refers to these values, among which there may be sentinels."""
    for value in chain.from_iterable(it if type(it) is tuple else (it,) for it in values):
        if is_by_value(type(value)) and _origins.get(value) is None and _is_stateless(value):
            _note(value, table.new_origin())


def sentinel(origin: bytes, cls: Any) -> Any:
    """Return the sentinel that is meant, or a new one."""
    known = _by_origin.get(origin)
    found = None if known is None else known()
    if type(found) is not cls or not _is_stateless(found):
        found = new(cls)
    _note(found, origin)
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


def _note(obj: Any, origin: bytes) -> None:
    if type(obj) is not object:
        _origins.set(obj, origin)
        _by_origin[origin] = weak_entry(_by_origin, origin, obj)
        return
    # Last in the order in which they are forgotten.
    _plain.pop(id(obj), None)
    _plain[id(obj)] = obj, origin
    _by_origin[origin] = lambda: obj
    while len(_plain) > _KEPT_MAX:
        _, forgotten = _plain.pop(oldest(_plain, None), (None, b""))
        _by_origin.pop(forgotten, None)
