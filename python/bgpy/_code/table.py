"""Tables of the definitions that this process has sent or built, by content and by origin.

There are no locks. Each step is a single, atomic operation on a dict, so user code may run at any
moment, in this thread or another, and a forked child finds consistent tables.
"""

from __future__ import annotations

import itertools
import os
import sys

from .local import placed
from .unfinished import begin_part, finish, may_adopt, of_this_thread
from .weak import WeakTable, oldest, weak_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # Of the code; of code and data; of code, data and state; of the bytecode alone; and of the
    # identities of the objects that it consists of.
    Digests = tuple[bytes, bytes, bytes, bytes, bytes]
    # Module, name in it, and digest of its whole content.
    Identity = tuple[str, str, bytes]
    # Module, name in it, digests, flags, the name under which the module can be imported if it is a
    # script, the origins of the definition (one per process that has it), the content of the whole
    # module that it needs, and a list that belongs to the message.
    Key = tuple[str, str, Digests, int, str | None, bytes, bytes | None, list[Any]]

# Its module has the definition under its name.
NAMED = 1
# It has no state of its own: an object with the same content may stand for it.
ALIKE = 2
# It belongs to the tasks that a client sends, and means that client's code.
SHIPPED = 4
# It is sent with such tasks: the receiver's own is used only if its whole module is the same.
EXACT = 8

# Indices of the digests of a key. The first three are also the reach of a walk, each more than the
# one before.
CODE, DATA, STATE, BARE, TIES = range(5)

# Everything in it was inspected: definitions with the same digest are the same.
CERTAIN = 16
# The sender has built it from a message, and does not know its current state at its origin.
FORWARDED = 32
# Its code uses variables that change, and shares them with other code of its process.
BOUND = 64

# The bits above the flags are the minor version of Python that the code is for.
_VERSION_SHIFT = 8
VERSION = sys.version_info.minor << _VERSION_SHIFT

# Number of named definitions that are kept alive here, and of methods that are refreshed.
_KEPT_MAX = 256
_REFRESHED_MAX = 1 << 16

# Number of processes that are remembered for each definition: those that sent it last.
_SOURCES_MAX = 64

# An origin identifies a process, and an object in it.
_RANDOM_BYTES = 8
_PROCESS_BYTES = 12
_SERIAL_BYTES = 6
_ORIGIN_BYTES = _PROCESS_BYTES + _SERIAL_BYTES


# The keys of definitions that were built here.
keys = WeakTable()
# The parts of classes that were built here: a weak reference to the class, and the part's path.
parts = WeakTable()
# The members of enumerations that were built here, by name and value.
members = WeakTable()
# The processes that have a definition, each with the origin that it last sent.
_sources = WeakTable()
# Its state at that time, by process: two digests, and the number of the last change here.
_last = WeakTable()
# Whether it was last sent by the process that it is from.
_is_current = WeakTable()
# Methods whose variables are updated next.
_refreshed: dict[int, Any] = {}
# The number of the last change of each definition.
_changed = WeakTable()
_changes = itertools.count(1)
_change = 0
# Whether several processes have sent the same definition, so that one may change the other's.
has_joined = False
# Modules of the definitions that were built here.
modules: set[str] = set()

_built: dict[Identity, Callable[[], Any]] = {}
# The last definition that was built of each name, kept alive.
_kept: dict[tuple[str, str], Any] = {}
# Definitions that were sent with tasks, by module and name.
_tasks: dict[tuple[str, str], Any] = {}
# Objects that were sent from here, and those that were built from messages.
_by_origin: dict[bytes, Callable[[], Any]] = {}
_origins = WeakTable()
_next = itertools.count(1)


def _renew_process() -> None:
    global _process
    # Origins contain the process id as well: a fork outside of Python does not get here.
    _process = os.urandom(_RANDOM_BYTES)
    _origins.clear()


_process = b""
_renew_process()
# Objects that a forked child inherits are the child's own from then on.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_process)


def origin(obj: Any) -> bytes:
    """Return the origin of an object: an identifier unique among all objects of all processes."""
    known: bytes | None = _origins.get(obj)
    if known is None:
        known = _origins.first(obj, new_origin())
        remember(known, obj)
    return known


def new_origin() -> bytes:
    """Return an origin that no object has."""
    return _this_process() + next(_next).to_bytes(_SERIAL_BYTES, "little")


def _this_process() -> bytes:
    return _process + os.getpid().to_bytes(_PROCESS_BYTES - _RANDOM_BYTES, "little")


def is_own(origin: bytes) -> bool:
    """Return whether an origin is of this process."""
    return origin.startswith(_this_process())


def origins(obj: Any) -> bytes:
    """Return the origins of a definition that was built here, the last one first."""
    return b"".join(reversed(list((_sources.get(obj) or {}).values())))


def remember(origin: bytes, obj: Any) -> None:
    """Note which object an origin leads to."""
    _by_origin[origin] = weak_entry(_by_origin, origin, obj)


def _forget(origin: bytes | None, obj: Any) -> None:
    if origin is not None and of_origin(origin) is obj:
        _drop(_by_origin, origin, obj)


def _drop(table: dict[Any, Callable[[], Any]], place: Any, obj: Any) -> None:
    """Remove an object from a table."""
    entry = table.pop(place, None)
    if entry is not None and entry() is not obj:
        # Another thread has just put a new one there.
        table.setdefault(place, entry)


def of_origins(origins: bytes, kind: type) -> Any:
    """Return the object for some origins; an object of this process's own before a built one."""
    built = None
    for place in range(0, len(origins), _ORIGIN_BYTES):
        found = of_origin(origins[place : place + _ORIGIN_BYTES])
        if isinstance(found, kind):
            if keys.get(found) is None:
                return found
            built = found if built is None else built
    return built


def of_origin(origin: bytes) -> Any:
    """Return the object for an origin, if it still exists."""
    found = _by_origin.get(origin)
    return None if found is None else found()


def join(key: Key, obj: Any) -> None:
    """Let a definition that was built stand for the definitions of other processes too.

    For each process it stands for the one that was sent last, which its name leads to.
    """
    global has_joined
    known, origins = _sources.get(obj), key[5]
    if known is None:
        return
    last = _note_state(key, obj)
    for place in reversed(range(0, len(origins), _ORIGIN_BYTES)):
        origin = origins[place : place + _ORIGIN_BYTES]
        process = origin[:_PROCESS_BYTES]
        before = known.get(process)
        # Another thread may be between the two steps below, so that nothing is there.
        if before != origin or next(reversed(list(known)), None) != process:
            known.pop(process, None)
            known[process] = origin
        if before != origin:
            _forget(before, obj)
            remember(origin, obj)
    has_joined |= len(known) > 1
    for process in list(known)[: max(len(known) - _SOURCES_MAX, 0)]:
        _forget(known.pop(process, None), obj)
    if len(last) > _SOURCES_MAX:
        for process in last.keys() - known.keys():
            last.pop(process, None)


def _note_state(key: Key, obj: Any) -> dict[bytes, Any]:
    """Note the state of an object at the sender, and return those that others have sent."""
    is_own = not key[3] & FORWARDED
    last: dict[bytes, Any] = _last.first(obj, {})
    if is_own:
        last[key[5][:_PROCESS_BYTES]] = (key[2][STATE], key[2][TIES], _change)
    _is_current.set(obj, is_own and is_owned(obj, key[5]))
    return last


def last_of(obj: Any, key: Key) -> tuple[bytes, bytes, int] | None:
    """Return the state of an object when the sender of a key last sent it."""
    found: tuple[bytes, bytes, int] | None
    found = (_last.get(obj) or {}).get(key[5][:_PROCESS_BYTES])
    return found


def begin_refresh(cls: Any, function: Any) -> None:
    """Note that the variables of a method are about to be updated to the sender's values.

    Only if the sender is the process that the class is from, and not for tasks, which have state.
    """
    key = keys.get(cls)
    if key is not None and not key[3] & (SHIPPED | EXACT) and _is_current.get(cls):
        while len(_refreshed) >= _REFRESHED_MAX:
            _refreshed.pop(oldest(_refreshed, 0), None)
        _refreshed[id(function)] = function


def end_refresh(function: Any) -> bool:
    """Return whether the variables of a function are to be updated, and forget that."""
    return _refreshed.pop(id(function), None) is function


def note_change(obj: Any) -> None:
    """Note that a definition has changed."""
    global _change
    _change = next(_changes)
    _changed.set(obj, _change)


def has_changed(obj: Any, since: int) -> bool:
    """Return whether a definition has changed since then; for None, whether any has."""
    return (_change if obj is None else _changed.get(obj) or 0) > since


def may_stand(obj: Any, key: Key) -> bool:
    """Return whether a definition may stand for another one of the same content.

    It stands for only one object of each process, which may have several of the same content.
    """
    known = _sources.get(obj) or {}
    origins = key[5]
    sent = (origins[it : it + _ORIGIN_BYTES] for it in range(0, len(origins), _ORIGIN_BYTES))
    return all(known.get(it[:_PROCESS_BYTES], it) == it for it in sent)


def built(identity: Identity) -> Any:
    """Return the definition that was built here with this identity, if it still exists."""
    found = _built.get(identity)
    return None if found is None else found()


def of_tasks(module: str, name: str) -> Any:
    """Return the definition that was sent with tasks under a name, or None."""
    return _tasks.get((module, name))


def latest_of(module: str, name: str) -> Any:
    """Return the definition sent with tasks under a name, or else the last one built, or None."""
    found = of_tasks(module, name)
    return _kept.get((module, name)) if found is None else found


def is_foreign(key: Key) -> bool:
    """Return whether the code of a definition is for another version of Python."""
    return key[3] >> _VERSION_SHIFT != sys.version_info.minor


def begin(key: Key, obj: Any, stands: Callable[[Any, Key], bool]) -> Any:
    """Note that an object is being built, and return the one of a faster thread if there is one.

    Parameters
    ----------
    key : tuple
        The definition's key.
    obj : object
        The object.
    stands : callable
        Returns whether an object that has the content of a key may stand for it.
    """
    module, name, digests, flags, _, origins, *_ = key
    modules.add(module)
    # First of all, because other threads can find the object from here on.
    begin_part(obj)
    keys.set(obj, (*key[:7], []))
    if not flags & (ALIKE | SHIPPED | EXACT):
        return obj
    origin = origins[:_ORIGIN_BYTES]
    _sources.set(obj, {})
    _note_state(key, obj)
    begun = of_origin(origin)
    if _is_as_begun(begun, key, obj):
        return begun
    identity = (module, name, digests[STATE])
    if flags & CERTAIN and not flags & BOUND:
        while (first := _first(_built, identity, obj)) is not obj:
            if may_adopt(first, obj) and stands(first, key):
                join(key, first)
                return first
            # The entry has other content by now, or cannot stand for this definition.
            _drop(_built, identity, first)
    # Only now, because the object of another process may have been the one.
    first = _first(_by_origin, origin, obj)
    if first is not obj:
        if _is_as_begun(first, key, obj):
            return first
        remember(origin, obj)
    join(key, obj)
    if flags & NAMED:
        _kept.pop((module, name), None)
        _kept[module, name] = obj
        while len(_kept) > _KEPT_MAX:
            _kept.pop(oldest(_kept, ("", "")), None)
    if flags & (SHIPPED | EXACT):
        _tasks[module, name] = obj
    return obj


def _is_as_begun(first: Any, key: Key, obj: Any) -> bool:
    """Return whether another thread has begun to build the same as this one."""
    known = keys.get(first)
    is_same = known is not None and known[2] == key[2] and known[:2] == key[:2]
    return is_same and may_adopt(first, obj)


def _first(table: dict[Any, Callable[[], Any]], place: Any, obj: Any) -> Any:
    """Return the object in a table, after adding this one if there is none."""
    entry = weak_entry(table, place, obj)
    found = table.setdefault(place, entry)()
    if found is None:
        # The object has just been released.
        table[place] = entry
        return obj
    return found


def renew(key: Key, obj: Any) -> None:
    """Note that a definition gets new contents, because the sender's object has changed."""
    before = keys.get(obj)
    # First of all: other threads join what is being built if it has their contents.
    keys.set(obj, (*key[:5], before[5], key[6], []))
    begin_part(obj, is_renewed=True)
    owner = before[5][:_PROCESS_BYTES]
    known = _sources.get(obj) or {}
    for process in [process for process in list(known) if process != owner]:
        # The other processes get a separate object when they send theirs again.
        _forget(known.pop(process, None), obj)
    identity = (*before[:2], before[2][STATE])
    if built(identity) is obj:
        _built.pop(identity, None)
    if key[3] & CERTAIN and not key[3] & BOUND:
        _note_built((*key[:2], key[2][STATE]), obj)
    note_change(obj)


def _note_built(identity: Identity, obj: Any) -> None:
    _built[identity] = weak_entry(_built, identity, obj)


def owner_of(obj: Any) -> bytes:
    """Return the process that a definition came from first."""
    key = keys.get(obj)
    return b"" if key is None else key[5][:_PROCESS_BYTES]


def is_owned(obj: Any, origins: bytes) -> bool:
    """Return whether the sender is the process that a definition came from first."""
    return owner_of(obj) == origins[:_PROCESS_BYTES]


def leave(origins: bytes, obj: Any) -> None:
    """Separate a process that has changed its object from those that have not."""
    known = _sources.get(obj) or {}
    _forget(known.pop(origins[:_PROCESS_BYTES], None), obj)


def has_left(obj: Any) -> bool:
    """Return whether the process that a definition came from has replaced it."""
    return owner_of(obj) not in (_sources.get(obj) or {})


def forget_tasks() -> None:
    """Forget the definitions of tasks that failed to start, so that their state is not reused."""
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


def abandon() -> list[type]:
    """Forget what this thread has not finished, as its message has failed.

    A class may be in use, and is renewed by the next message; anything else is built again.

    Returns
    -------
    list of type
        The classes.
    """
    classes = []
    for obj in of_this_thread():
        finish(obj)
        _last.set(obj, {})
        if isinstance(obj, type):
            classes.append(obj)
        else:
            for origin in list((_sources.get(obj) or {}).values()):
                _forget(origin, obj)
            key = keys.get(obj)
            if key is not None and built((*key[:2], key[2][STATE])) is obj:
                _built.pop((*key[:2], key[2][STATE]), None)
    return classes
