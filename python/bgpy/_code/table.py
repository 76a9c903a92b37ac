"""What this process remembers of definitions: which object stands for which content.

There are no locks: each step is a single operation on a dict, so that code of the user's can run at
any moment, in this thread or another, and so that a forked child finds everything in order.
"""

from __future__ import annotations

import itertools
import os
import sys
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # Of the code, of the data that it uses besides, and of what may be state of one process too.
    Digests = tuple[bytes, bytes, bytes]
    # Module, name in it, and digest of code and data.
    Identity = tuple[str, str, bytes]
    # Module, name in it, digests, flags, the name under which the module, if it is a script, can be
    # imported, the one object that was sent, and the content of the whole module that it needs.
    Key = tuple[str, str, Digests, int, str | None, bytes, bytes | None]

# The definition is what its module has under its name.
NAMED = 1
# It has no state of its own: what has the same content may stand for it.
ALIKE = 2
# It belongs to tasks that a client sends, and means that client's code.
SHIPPED = 4
# It comes with such tasks: the receiver's own will do only if all of its module is the same.
EXACT = 8

# The digests of a key, and what a walk for each takes in: each is more than the one before.
CODE, DATA, STATE = range(3)

# Above the flags stands the minor version of the Python that the code is for.
_VERSION_SHIFT = 8
VERSION = sys.version_info.minor << _VERSION_SHIFT

# Beyond so many, only what something else holds is remembered.
_BUILT_MAX = 1024

# An origin tells a process and an object of it.
_RANDOM_BYTES = 8
_PROCESS_BYTES = 12
_SERIAL_BYTES = 6


class WeakTable:
    """Values for objects that need not be hashable, kept as long as the objects live."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[Callable[[], Any], Any]] = {}

    def get(self, obj: Any) -> Any:
        """Return the value of an object, or None."""
        entry = self._entries.get(id(obj))
        return entry[1] if entry is not None and entry[0]() is obj else None

    def set(self, obj: Any, value: Any) -> None:
        """Give an object a value."""
        place = id(obj)
        self._entries[place] = (_weak(obj, lambda: self._entries.pop(place, None)), value)


# The keys of what was built here.
keys = WeakTable()
# The parts of classes that were built here: a weak reference to the class, and what leads to it.
parts = WeakTable()
# The members of enumerations that are being built, by name and value.
members = WeakTable()
# The processes that have sent it.
_sources = WeakTable()
# Modules that something was built of.
modules: set[str] = set()
# Whether the main module has taken the definitions of a client's script.
has_main = False

_built: dict[Identity, Any] = {}
# What came with tasks, by module and name.
_tasks: dict[tuple[str, str], Any] = {}
# What was sent from here, and what was built of what others sent.
_by_origin: dict[bytes, Callable[[], Any]] = {}
_origins = WeakTable()
_next = itertools.count(1)
_random = os.urandom(_RANDOM_BYTES)
_unfinished: dict[int, Any] = {}
# The content that was built last of each name.
_latest: dict[tuple[str, str], bytes] = {}


def _weak(obj: Any, forget: Callable[[], Any]) -> Callable[[], Any]:
    try:
        return ref(obj, lambda _: forget())
    except TypeError:
        return lambda: obj


def origin(obj: Any) -> bytes:
    """Return what tells an object of this process from every other object, here and elsewhere."""
    known: bytes | None = _origins.get(obj)
    if known is None:
        # A forked child shares what was there before, and nothing that comes afterwards.
        process = _random + os.getpid().to_bytes(_PROCESS_BYTES - _RANDOM_BYTES, "little")
        known = process + next(_next).to_bytes(_SERIAL_BYTES, "little")
        _origins.set(obj, known)
        _remember(known, obj)
    return known


def _remember(origin: bytes, obj: Any) -> None:
    _by_origin[origin] = _weak(obj, lambda: _by_origin.pop(origin, None))


def of_origin(origin: bytes) -> Any:
    """Return what was sent from here, or built of what was sent, if it still exists."""
    found = _by_origin.get(origin)
    return None if found is None else found()


def join(origin: bytes, obj: Any) -> None:
    """Let what was built stand for an object of another process too."""
    sources = _sources.get(obj)
    if sources is not None:
        sources.add(origin[:_PROCESS_BYTES])
    _remember(origin, obj)


def may_stand(obj: Any, key: Key) -> bool:
    """Tell whether what was built may stand for an object of the same content.

    A process has one object of a name at a time, but may have several that no name leads to.
    """
    origin = key[5]
    is_taken = origin[:_PROCESS_BYTES] in (_sources.get(obj) or ())
    return bool(key[3] & NAMED) or not is_taken or of_origin(origin) is obj


def sources(obj: Any) -> int:
    """Return how many processes have sent what was built."""
    return len(_sources.get(obj) or ())


def built(identity: Identity) -> Any:
    """Return what was built here before, or None."""
    return _built.get(identity)


def of_tasks(module: str, name: str) -> Any:
    """Return what came with tasks under a name, or None."""
    return _tasks.get((module, name))


def is_foreign(key: Key) -> bool:
    """Tell whether the code of a definition is for another version of Python."""
    return key[3] >> _VERSION_SHIFT != sys.version_info.minor


def begin(key: Key, obj: Any) -> Any:
    """Note what is being built; another thread that builds the same gets the same object."""
    module, name, (_, data, _), flags, _, origin, _ = key
    modules.add(module)
    keys.set(obj, key)
    if flags & (ALIKE | SHIPPED | EXACT):
        while len(_built) >= _BUILT_MAX:
            _built.pop(next(iter(_built), ("", "", b"")), None)
        _sources.set(obj, {origin[:_PROCESS_BYTES]})
        entry = _weak(obj, lambda: _by_origin.pop(origin, None))
        first = _by_origin.setdefault(origin, entry)()
        if first is not obj:
            known = keys.get(first)
            if known is not None and known[2] == key[2]:
                return first
            _by_origin[origin] = entry
        first = _built.setdefault((module, name, data), obj)
        if first is not obj:
            if may_stand(first, key):
                join(origin, first)
                return first
            _built[module, name, data] = obj
        if flags & (SHIPPED | EXACT):
            _tasks[module, name] = obj
    return begin_part(obj)


def renew(key: Key, obj: Any) -> None:
    """Note that what was built gets other contents, as the object has got where it is from."""
    before = keys.get(obj)
    _built.pop((*before[:2], before[2][DATA]), None)
    _built[(*key[:2], key[2][DATA])] = obj
    keys.set(obj, key)
    begin_part(obj)


def forget_tasks() -> None:
    """Forget what came with tasks that were not accepted, lest their state lives on in others."""
    for identity, obj in list(_built.items()):
        key = keys.get(obj)
        if key is not None and key[3] & (SHIPPED | EXACT):
            _built.pop(identity, None)
            _tasks.pop(identity[:2], None)
            _by_origin.pop(key[5], None)


def begin_part(obj: Any) -> Any:
    """Note that an object gets its contents later."""
    # What a message leaves unfinished, because it raised, is forgotten some time.
    while len(_unfinished) >= _BUILT_MAX:
        _unfinished.pop(next(iter(_unfinished), 0), None)
    _unfinished[id(obj)] = obj
    return obj


def is_unfinished(obj: Any) -> bool:
    """Tell whether an object is being built."""
    return _unfinished.get(id(obj)) is obj


def finish(obj: Any) -> None:
    """Note that an object has its contents."""
    _unfinished.pop(id(obj), None)


def replace_latest(module: str, name: str, digest: bytes) -> bytes:
    """Note the content of a name, and return the one that was noted before."""
    before = _latest.get((module, name), digest)
    _latest[module, name] = digest
    return before
