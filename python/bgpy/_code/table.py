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

    # Module, name in it, and digest of the content.
    Identity = tuple[str, str, bytes]
    # The same, with flags, and the name under which the module, if it is a script, can be imported.
    Key = tuple[str, str, bytes, int, str | None]

# The definition is what its module has under its name.
NAMED = 1
# It has no state of its own: what has the same content may stand for it.
ALIKE = 2
# It belongs to tasks that a client sends, and means that client's code.
SHIPPED = 4
# The receiver's own will do only if its content is the same.
EXACT = 8

# Above the flags stands the minor version of the Python that the code is for.
_VERSION_SHIFT = 8
VERSION = sys.version_info.minor << _VERSION_SHIFT

# Beyond so many, only what something else holds is remembered.
_BUILT_MAX = 1024


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
# Modules that something was built of.
modules: set[str] = set()
# Whether the main module has taken the definitions of a client's script.
has_main = False

_built: dict[Identity, Any] = {}
# What was sent from here, or was built long ago.
_others: dict[Identity, Callable[[], Any]] = {}
_numbers = WeakTable()
_next = itertools.count(1)
_random = os.urandom(8)
_unfinished: dict[int, Any] = {}
# The content that was built last of each name.
_latest: dict[tuple[str, str], bytes] = {}


def _weak(obj: Any, forget: Callable[[], Any]) -> Callable[[], Any]:
    try:
        return ref(obj, lambda _: forget())
    except TypeError:
        return lambda: obj


def number(identity: Identity, obj: Any, is_alike: bool) -> bytes:
    """Tell definitions apart that have the same content.

    The first of those that exist has none, so that other processes have the same number for it. One
    that has state of its own has a number that nothing else ever has.
    """
    known: bytes | None = _numbers.get(obj)
    if known is None:
        first = sent(identity)
        is_first = is_alike and (first is None or first is obj)
        known = b"" if is_first else b"%d" % next(_next)
        if not is_alike:
            known += b" %d %b" % (os.getpid(), _random)
        _numbers.set(obj, known)
    return known


def remember_sent(identity: Identity, obj: Any) -> None:
    """Note what is sent, so that it is recognised when it comes back."""
    _others[identity] = _weak(obj, lambda: _others.pop(identity, None))


def sent(identity: Identity) -> Any:
    """Return what was sent from here, if it still exists."""
    found = _others.get(identity)
    return None if found is None else found()


def built(identity: Identity) -> Any:
    """Return what was built here before, or None."""
    return _built.get(identity)


def is_foreign(key: Key) -> bool:
    """Tell whether the code of a definition is for another version of Python."""
    return key[3] >> _VERSION_SHIFT != sys.version_info.minor


def begin(key: Key, obj: Any) -> Any:
    """Note what is being built; another thread that builds the same gets the same object."""
    module, name, digest, flags, _ = key
    modules.add(module)
    if flags & (ALIKE | SHIPPED | EXACT):
        while len(_built) >= _BUILT_MAX:
            oldest = next(iter(_built), None)
            if oldest is not None:
                remember_sent(oldest, _built.pop(oldest, None))
        first = _built.setdefault((module, name, digest), obj)
        if first is not obj:
            return first
    keys.set(obj, key)
    return begin_part(obj)


def forget_tasks() -> None:
    """Forget what came with tasks that were not accepted, lest their state lives on in others."""
    for identity, obj in list(_built.items()):
        key = keys.get(obj)
        if key is not None and key[3] & (SHIPPED | EXACT):
            _built.pop(identity, None)


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
