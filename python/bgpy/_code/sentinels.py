"""Objects that code compares by identity, such as ``_MISSING = object()``.

Such an object has no state, only its identity. It is known by its origin, as definitions are, so
that code of several messages, its default arguments and the arguments of calls mean the same one.
"""

from __future__ import annotations

import copyreg
import sys
from collections import deque
from itertools import chain

from . import table
from .content import is_by_value
from .instances import new
from .kinds import HEAP_TYPE
from .weak import WeakTable, weak_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

# Number of plain objects that are noted before any is forgotten. They cannot be referenced weakly,
# so each is looked at again and again, whether anybody else holds it.
_KEPT_MIN = 4096

# Methods that say how an object is pickled.
_REDUCERS = {"__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__"}

# Plain objects with their origins, by id and by origin.
_plain: dict[int, tuple[object, bytes]] = {}
_plain_by_origin: dict[bytes, tuple[object, bytes]] = {}
# Those that are looked at next come first.
_turns: deque[tuple[object, bytes]] = deque()
# Instances of classes, with their origins.
_origins = WeakTable()
_by_origin: dict[bytes, Callable[[], Any]] = {}


def reduce(obj: Any) -> Any:
    """Reduce a sentinel; None for any other object."""
    if type(obj) is object:
        known = _plain.get(id(obj)) or _note_plain(obj, table.new_origin())
        return sentinel, (known[1], object)
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
    if cls is object:
        return (_plain_by_origin.get(origin) or _note_plain(object(), origin))[0]
    known = _by_origin.get(origin)
    found = None if known is None else known()
    if type(found) is not cls or not _is_stateless(found):
        if found is not None:
            # It has got a state here, and is no sentinel any more.
            _by_origin.pop(origin, None)
        found = new(cls)
    found = _remember(found, origin)
    _origins.first(found, origin)
    return found


def _is_stateless(obj: Any) -> bool:
    kind = type(obj)
    if not kind.__flags__ & HEAP_TYPE or issubclass(kind, type) or not kind.__weakrefoffset__:
        return False
    own = [name for base in kind.__mro__[:-1] for name in list(vars(base))]
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
    entry = weak_entry(_by_origin, origin, obj)
    found = _by_origin.setdefault(origin, entry)()
    if found is None:
        _by_origin[origin], found = entry, obj
    return found


def _note_plain(obj: object, origin: bytes) -> tuple[object, bytes]:
    """Note a plain object and its origin, and return what a faster thread has noted for either."""
    entry = _plain.setdefault(id(obj), (obj, origin))
    found = _plain_by_origin.setdefault(entry[1], entry)
    if found is not entry:
        _plain.pop(id(obj), None)
        return found
    _turns.append(entry)
    # Two for each new one, so that what is not held is never more than what is.
    for _ in range(2):
        if len(_turns) > _KEPT_MIN:
            _forget_unheld(_turns.popleft())
    return entry


def _forget_unheld(entry: tuple[object, bytes]) -> None:
    """Forget a plain object if nobody else holds it: then nothing can be compared with it."""
    place, origin = id(entry[0]), entry[1]
    if _references(entry) == _UNHELD:
        _plain.pop(place, None)
        _plain_by_origin.pop(origin, None)
        if _references(entry) == _UNHELD:
            return
        # Another thread has just found it.
        _plain.setdefault(place, entry)
        _plain_by_origin.setdefault(origin, entry)
    _turns.append(entry)


def _references(entry: tuple[object, bytes]) -> int:
    return sys.getrefcount(entry[0])


# The number of references to an object that only its entry holds.
_UNHELD = _references((object(), b""))
