"""What this process remembers of definitions: which object stands for which content.

There are no locks: each step is a single operation on a dict, so that code of the user's can run at
any moment, in this thread or another, and so that a forked child finds everything in order.
"""

from __future__ import annotations

import itertools
import os
import sys

from .local import placed
from .weak import WeakTable, oldest, weak_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # Of the code, of the data that it uses besides, of what may be state of one process too, and of
    # the instructions alone, and of the very objects that it consists of.
    Digests = tuple[bytes, bytes, bytes, bytes, bytes]
    # Module, name in it, and digest of all of its content.
    Identity = tuple[str, str, bytes]
    # Module, name in it, digests, flags, the name under which the module, if it is a script, can be
    # imported, the objects that it is, in one process each, the content of the whole module that it
    # needs, and a list that belongs to the message.
    Key = tuple[str, str, Digests, int, str | None, bytes, bytes | None, list[Any]]

# The definition is what its module has under its name.
NAMED = 1
# It has no state of its own: what has the same content may stand for it.
ALIKE = 2
# It belongs to tasks that a client sends, and means that client's code.
SHIPPED = 4
# It comes with such tasks: the receiver's own will do only if all of its module is the same.
EXACT = 8

# The digests of a key, and what a walk for each takes in: each is more than the one before.
CODE, DATA, STATE, BARE, TIES = range(5)

# All that it consists of was looked at: what has the same digest is the same.
CERTAIN = 16
# Who sends it has built it, and does not know what has become of it where it is from.
FORWARDED = 32
# Its code uses variables that change, and shares them with the other code of its process.
BOUND = 64

# Above the flags stands the minor version of the Python that the code is for.
_VERSION_SHIFT = 8
VERSION = sys.version_info.minor << _VERSION_SHIFT

# So many are kept that nothing else holds, of those that have a name; and so many may be under way.
_KEPT_MAX = 256
_UNFINISHED_MAX = 1 << 16

# So many names are known with the content that they last had.
_LATEST_MAX = 4096

# So many processes are known that have what was built, those that sent it last.
_SOURCES_MAX = 64

# An origin tells a process and an object of it.
_RANDOM_BYTES = 8
_PROCESS_BYTES = 12
_SERIAL_BYTES = 6
_ORIGIN_BYTES = _PROCESS_BYTES + _SERIAL_BYTES


# The keys of what was built here.
keys = WeakTable()
# The parts of classes that were built here: a weak reference to the class, and what leads to it.
parts = WeakTable()
# The members of enumerations that are being built, by name and value.
members = WeakTable()
# The processes that have it, each with the origin that it was last sent with.
_sources = WeakTable()
# What it was then, by the process: two digests, and the number of the last change here.
_last = WeakTable()
# Whether it was last sent by the process that it is from.
_is_current = WeakTable()
# Functions that get the values of their variables once more.
_refreshed: dict[int, Any] = {}
# The last change of what was built.
_changed = WeakTable()
_changes = itertools.count(1)
_change = 0
# Whether several processes have sent the same, so that one may change what the other means.
has_joined = False
# Modules that something was built of.
modules: set[str] = set()

_built: dict[Identity, Callable[[], Any]] = {}
# What was built last of each name.
_kept: dict[tuple[str, str], Any] = {}
# What came with tasks, by module and name.
_tasks: dict[tuple[str, str], Any] = {}
# What was sent from here, and what was built of what others sent.
_by_origin: dict[bytes, Callable[[], Any]] = {}
_origins = WeakTable()
_next = itertools.count(1)
_unfinished: dict[int, Any] = {}
# Of these, what was complete once.
_renewed: set[int] = set()
# The content that was built last of each name.
_latest: dict[tuple[str, str], bytes] = {}


def _renew_process() -> None:
    global _process
    # With the id, because a child may be forked by code that Python does not know of.
    _process = os.urandom(_RANDOM_BYTES)
    _origins.clear()


_process = b""
_renew_process()
# A forked child has what was there before, and from then on it is the child's own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_process)


def origin(obj: Any) -> bytes:
    """Return what tells an object of this process from every other object, here and elsewhere."""
    known: bytes | None = _origins.get(obj)
    if known is None:
        made = _this_process() + next(_next).to_bytes(_SERIAL_BYTES, "little")
        known = _origins.first(obj, made)
        remember(known, obj)
    return known


def _this_process() -> bytes:
    return _process + os.getpid().to_bytes(_PROCESS_BYTES - _RANDOM_BYTES, "little")


def is_own(origin: bytes) -> bool:
    """Tell whether it is this process that an origin is of."""
    return origin.startswith(_this_process())


def origins(obj: Any) -> bytes:
    """Return the origins of what was built here, the last one first."""
    return b"".join(reversed(list((_sources.get(obj) or {}).values())))


def remember(origin: bytes, obj: Any) -> None:
    """Note which object an origin leads to."""
    _by_origin[origin] = weak_entry(_by_origin, origin, obj)


def _forget(origin: bytes | None, obj: Any) -> None:
    if origin is not None and of_origin(origin) is obj:
        _by_origin.pop(origin, None)


def of_origins(origins: bytes, kind: type) -> Any:
    """Return the object of this process that is meant, its own before what it has built."""
    built = None
    for place in range(0, len(origins), _ORIGIN_BYTES):
        found = of_origin(origins[place : place + _ORIGIN_BYTES])
        if isinstance(found, kind):
            if keys.get(found) is None:
                return found
            built = found if built is None else built
    return built


def of_origin(origin: bytes) -> Any:
    """Return what was sent from here, or built of what was sent, if it still exists."""
    found = _by_origin.get(origin)
    return None if found is None else found()


def join(key: Key, obj: Any) -> None:
    """Let what was built stand for objects of other processes too.

    Of each process it is the last one that was sent, which is the one that a name leads to.
    """
    global has_joined
    known, origins = _sources.get(obj), key[5]
    if known is None:
        return
    is_own = not key[3] & FORWARDED
    last = _last.first(obj, {})
    if is_own:
        last[origins[:_PROCESS_BYTES]] = (key[2][STATE], key[2][TIES], _change)
    _is_current.set(obj, is_own and is_owned(obj, origins))
    for place in reversed(range(0, len(origins), _ORIGIN_BYTES)):
        origin = origins[place : place + _ORIGIN_BYTES]
        before = known.pop(origin[:_PROCESS_BYTES], None)
        known[origin[:_PROCESS_BYTES]] = origin
        if before != origin:
            _forget(before, obj)
            remember(origin, obj)
    has_joined |= len(known) > 1
    for process in list(known)[: max(len(known) - _SOURCES_MAX, 0)]:
        _forget(known.pop(process, None), obj)
    if len(last) > _SOURCES_MAX:
        for process in last.keys() - known.keys():
            last.pop(process, None)


def last_of(obj: Any, key: Key) -> tuple[bytes, bytes, int] | None:
    """Return what an object was when the process that sends it sent it the last time."""
    found: tuple[bytes, bytes, int] | None
    found = (_last.get(obj) or {}).get(key[5][:_PROCESS_BYTES])
    return found


def begin_refresh(cls: Any, function: Any) -> None:
    """Note that a method of a class that is here gets what its process has for it now.

    Only if it is that process that sends it, and it is none of tasks, which have state.
    """
    key = keys.get(cls)
    if key is not None and not key[3] & (SHIPPED | EXACT) and _is_current.get(cls):
        while len(_refreshed) >= _UNFINISHED_MAX:
            _refreshed.pop(oldest(_refreshed, 0), None)
        _refreshed[id(function)] = function


def end_refresh(function: Any) -> bool:
    """Tell whether a function gets the values of its variables once more, which is so once."""
    return _refreshed.pop(id(function), None) is function


def note_change(obj: Any) -> None:
    """Note that what was built is not what it was."""
    global _change
    _change = next(_changes)
    _changed.set(obj, _change)


def has_changed(obj: Any, since: int) -> bool:
    """Tell whether what was built has changed since then; of no object, whether any has."""
    return (_change if obj is None else _changed.get(obj) or 0) > since


def may_stand(obj: Any, key: Key) -> bool:
    """Tell whether what was built may stand for an object of the same content.

    It stands for one object of each process, which may have several that are alike.
    """
    known = _sources.get(obj) or {}
    origins = key[5]
    sent = (origins[it : it + _ORIGIN_BYTES] for it in range(0, len(origins), _ORIGIN_BYTES))
    return all(known.get(it[:_PROCESS_BYTES], it) == it for it in sent)


def built(identity: Identity) -> Any:
    """Return what was built here before and still exists, or None."""
    found = _built.get(identity)
    return None if found is None else found()


def of_tasks(module: str, name: str) -> Any:
    """Return what came with tasks under a name, or None."""
    return _tasks.get((module, name))


def latest_of(module: str, name: str) -> Any:
    """Return what came with tasks under a name, or else what was built last, or None."""
    found = of_tasks(module, name)
    return _kept.get((module, name)) if found is None else found


def is_foreign(key: Key) -> bool:
    """Tell whether the code of a definition is for another version of Python."""
    return key[3] >> _VERSION_SHIFT != sys.version_info.minor


def begin(key: Key, obj: Any) -> Any:
    """Note what is being built; another thread that builds the same gets the same object."""
    module, name, digests, flags, _, origins, *_ = key
    modules.add(module)
    # First of all, because other threads may find it from here on.
    begin_part(obj)
    keys.set(obj, (*key[:7], []))
    if not flags & (ALIKE | SHIPPED | EXACT):
        return obj
    origin = origins[:_ORIGIN_BYTES]
    _sources.set(obj, {})
    first = _first(_by_origin, origin, obj)
    if first is not obj:
        known = keys.get(first)
        if known is not None and known[2] == digests and known[:2] == key[:2]:
            return first
        remember(origin, obj)
    identity = (module, name, digests[STATE])
    if flags & CERTAIN and not flags & BOUND:
        first = _first(_built, identity, obj)
        if first is not obj:
            if is_unfinished(first) and may_stand(first, key):
                join(key, first)
                return first
            # Other content stands there by now, or it cannot stand for this one.
            _note_built(identity, obj)
    join(key, obj)
    if flags & NAMED:
        _kept.pop((module, name), None)
        _kept[module, name] = obj
        while len(_kept) > _KEPT_MAX:
            _kept.pop(oldest(_kept, ("", "")), None)
    if flags & (SHIPPED | EXACT):
        _tasks[module, name] = obj
    return obj


def _first(table: dict[Any, Callable[[], Any]], place: Any, obj: Any) -> Any:
    """Return what a table has at a place, which is the object if nothing else is there."""
    entry = weak_entry(table, place, obj)
    found = table.setdefault(place, entry)()
    if found is None:
        # It has ended a moment ago.
        table[place] = entry
        return obj
    return found


def renew(key: Key, obj: Any) -> None:
    """Note that what was built gets other contents, as the object has got where it is from."""
    _renewed.add(id(obj))
    begin_part(obj)
    owner = owner_of(obj)
    known = _sources.get(obj) or {}
    for process in [process for process in known if process != owner]:
        # It goes on with what it has sent, and gets that when it sends it again.
        _forget(known.pop(process, None), obj)
    before = keys.get(obj)
    identity = (*before[:2], before[2][STATE])
    if built(identity) is obj:
        _built.pop(identity, None)
    if key[3] & CERTAIN and not key[3] & BOUND:
        _note_built((*key[:2], key[2][STATE]), obj)
    keys.set(obj, (*key[:5], before[5], key[6], []))
    note_change(obj)


def _note_built(identity: Identity, obj: Any) -> None:
    _built[identity] = weak_entry(_built, identity, obj)


def owner_of(obj: Any) -> bytes:
    """Return the process that what was built is from, which others have joined."""
    key = keys.get(obj)
    return b"" if key is None else key[5][:_PROCESS_BYTES]


def is_owned(obj: Any, origins: bytes) -> bool:
    """Tell whether it is the process that an object is from which sends it."""
    return owner_of(obj) == origins[:_PROCESS_BYTES]


def leave(origins: bytes, obj: Any) -> None:
    """Let a process that has changed its object go on without those that have not."""
    known = _sources.get(obj) or {}
    _forget(known.pop(origins[:_PROCESS_BYTES], None), obj)


def has_left(obj: Any) -> bool:
    """Tell whether the process that what was built is from has something else in its place."""
    return owner_of(obj) not in (_sources.get(obj) or {})


def forget_tasks() -> None:
    """Forget what came with tasks that were not accepted, lest their state lives on in others."""
    for place, obj in list(_tasks.items()):
        _tasks.pop(place, None)
        _kept.pop(place, None)
        for origin in list((_sources.get(obj) or {}).values()):
            _forget(origin, obj)
        key = keys.get(obj)
        if key is not None:
            _built.pop((*key[:2], key[2][STATE]), None)
    for name, module in list(placed.items()):
        placed.pop(name, None)
        if sys.modules.get(name) is module:
            sys.modules.pop(name, None)


def begin_part(obj: Any) -> Any:
    """Note that an object gets its contents later."""
    # What a message leaves unfinished, because it raised, is forgotten some time.
    while len(_unfinished) >= _UNFINISHED_MAX:
        _unfinished.pop(oldest(_unfinished, 0), None)
    _unfinished[id(obj)] = obj
    return obj


def is_unfinished(obj: Any) -> bool:
    """Tell whether an object is being built."""
    return _unfinished.get(id(obj), _unfinished) is obj


def is_renewed(obj: Any) -> bool:
    """Tell whether an object that was complete gets other contents."""
    return is_unfinished(obj) and id(obj) in _renewed


def finish(obj: Any) -> None:
    """Note that an object has its contents."""
    _renewed.discard(id(obj))
    _unfinished.pop(id(obj), None)


def replace_latest(module: str, name: str, digest: bytes) -> bytes:
    """Note the content of a name, and return the one that was noted before."""
    before = _latest.pop((module, name), digest)
    _latest[module, name] = digest
    while len(_latest) > _LATEST_MAX:
        _latest.pop(oldest(_latest, ("", "")), None)
    return before
