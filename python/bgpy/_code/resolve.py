"""Chooses the object of this process that an arriving definition means, if there is one.

Objects that were not built from a message are never changed by one.
"""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType

from . import foreign_modules, table, unfinished
from .classes import is_struct
from .content import Content
from .local import (
    MAIN,
    Importing,
    find,
    is_local,
    script,
    tasks_module,
    unwanted,
)
from .table import (
    ALIKE,
    BARE,
    BOUND,
    CERTAIN,
    CODE,
    DATA,
    EXACT,
    FORWARDED,
    NAMED,
    SHIPPED,
    STATE,
    TIES,
)
from .weak import oldest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .snapshot import Found
    from .table import Identity, Key

_WARNED_MAX = 4096
# Number of names whose last content is remembered.
_LATEST_MAX = 4096
_DIGEST = 16

_warned: set[Identity] = set()
# The content of the last definition that was built of each name.
_latest: dict[tuple[str, str], bytes] = {}
# For each module, the content that tasks last needed, and whether the module here has it.
_wholes: dict[str, tuple[bytes | None, bool]] = {}


def choose(key: Key, kind: type) -> Any:
    """Return the object of this process that a definition means, or None if it has to be built.

    Parameters
    ----------
    key : tuple
        The definition's key.
    kind : type
        What the definition is an instance of.
    """
    found = table.of_origins(key[5], kind)
    flags = key[3]
    # Tasks that a process sends to itself get their own globals, as in any other process.
    is_own_task = flags & (SHIPPED | EXACT) and table.keys.get(found) is None
    if found is not None and not is_own_task:
        chosen = _as_sent(found, key)
        if chosen is not None:
            table.join(key, chosen)
            return chosen
        if not flags & (SHIPPED | EXACT) and not _is_of_tasks(found):
            # From now on, this sender's object no longer shares the one of the others.
            table.leave(key[5], found)
            return None
    if flags & EXACT and flags & NAMED and has_whole(key[0], key[6], key[7]):
        return _imported(key[0], key[1], kind)
    chosen = _same(key, kind) if flags & (SHIPPED | EXACT) else _of_others(key, kind)
    if chosen is not None and table.keys.get(chosen) is not None:
        table.join(key, chosen)
    return chosen


def _as_sent(found: Any, key: Key) -> Any:
    """Return the object itself if it is still what the sender has; None otherwise."""
    known = table.keys.get(found)
    if known is None:
        # It was sent from here, and comes back.
        return found
    if not key[3] & (ALIKE | SHIPPED | EXACT) and not _is_of_tasks(found):
        # By now its variables are known to change.
        return None
    if key[3] & FORWARDED:
        return found
    if key[3] & CERTAIN and _is_as_last(found, key):
        return found
    if unfinished.is_unfinished(found):
        # Another thread is building it. A mixture of two contents is what nobody has sent.
        return found if table.keys.get(found)[2] == key[2] else None
    if not isinstance(found, type):
        return None
    if known[3] & (SHIPPED | EXACT):
        # Tasks keep the state that they have here, but only with the same code.
        is_same = known[2][BARE] == key[2][BARE] and not key[3] & (SHIPPED | EXACT)
        return found if is_same else None
    # The members of an enumeration and the fields of a class of msgspec cannot be replaced.
    is_fixed = "_member_map_" in vars(found) or is_struct(found)
    if not table.is_owned(found, key[5]) or (is_fixed and known[2][BARE] != key[2][BARE]):
        return None
    # Digests that were made for this message before are outdated now.
    key[7].clear()
    table.renew(key, found)
    return found


def _is_as_last(found: Any, key: Key) -> bool:
    """Return whether an object is unchanged since its process last sent it."""
    last = table.last_of(found, key)
    if last is None or last[:2] != (key[2][STATE], key[2][TIES]):
        return False
    since = last[2]
    if not table.has_changed(None, since):
        return True
    # Another sender may have changed a part of it that they share.
    for part in _content(key[7], is_raw=True).parts(found):
        place = foreign_modules.of(part.__globals__) if type(part) is FunctionType else None
        if table.has_changed(part, since) or (place and table.has_changed(place, since)):
            return False
    return True


def _same(key: Key, kind: type) -> Any:
    """Return an object that was built before with exactly the same content."""
    known = (
        table.built((*key[:2], key[2][STATE])) if key[3] & (CERTAIN | BOUND) == CERTAIN else None
    )
    return known if isinstance(known, kind) and stands(known, key) else None


def stands(known: Any, key: Key) -> bool:
    """Return whether an object that was built with the content of a key may stand for it."""
    if not table.may_stand(known, key):
        return False
    if key[3] & (SHIPPED | EXACT) and not _is_of_tasks(known):
        return False
    if unfinished.is_unfinished(known):
        # Another thread is building it, of the same content.
        return True
    # The object, or one that it uses, may have changed here since, or may be changing now.
    content = _content(key[7], is_raw=True)
    is_same = content.digests(known)[0][STATE] == key[2][STATE]
    return is_same and not any(map(unfinished.is_unfinished, content.parts(known)))


def _of_others(key: Key, kind: type) -> Any:
    """Return the object that stands for a definition with another origin."""
    module, name, digests, flags, main = key[:5]
    known = _same(key, kind)
    is_named = bool(flags & NAMED)
    others: list[str] = []
    if is_named:
        own = table.of_tasks(module, name)
        if isinstance(own, kind) and _has(own, key):
            return own
        for place in _places(module, main):
            own = _own(place, name, kind)
            if own is not None and _has(own, key):
                return own
            if own is not None and MAIN in (place, module):
                others.append(f"{place}.{name}")
    if known is not None:
        return known
    if not is_named or module == MAIN:
        if others and kind is type and not table.is_foreign(key):
            _warn(
                (module, name, digests[CODE]),
                f"{module}.{name} was sent with a definition that differs from {others[0]} of this "
                "process, and becomes a separate class here: if both are the same script, restart "
                "the server after a change",
            )
        return None
    own = _imported(module, name, kind)
    if own is None or table.is_foreign(key) or _has(own, key):
        # The digests of code of another version of Python cannot be compared.
        return own
    if "<locals>" in getattr(own, "__qualname__", ""):
        # It may be another closure of the same function, which its code does not show.
        return own
    _warn(
        (module, name, digests[CODE]),
        f"{module}.{name}".rstrip(".") + " was sent with a definition that differs from the one "
        "loaded here, which is used: use the same version of the module on both sides, and restart "
        "the server after a change",
    )
    return own


def has_whole(name: str, whole: bytes | None, message: list[Any] | None = None) -> bool:
    """Return whether a module of this process, with all its data, is the one that tasks need.

    Parameters
    ----------
    name : str
        Name of the module.
    whole : bytes, optional
        Digest of the module in the tasks' process, and the origin of the message.
    message : list, optional
        The list that the keys of that message share.
    """
    known = _wholes.get(name)
    if known is None or known[0] != whole:
        is_new = name not in sys.modules
        own = _imported(name, "", ModuleType)
        content = _content([] if message is None else message)
        is_same = own is not None and _is_whole(content.digests(own), whole)
        if is_new and not is_same and own is not None:
            # It was imported only for this comparison.
            unwanted[name] = own
        if len(_wholes) >= _WARNED_MAX:
            _wholes.clear()
        known = _wholes[name] = (whole, is_same)
    return known[1]


def note_new(key: Key, obj: Any) -> None:
    """Warn if a new class differs from the one that had its name before."""
    module, name, (code, *_), flags, *_ = key
    # A variable may hold one class after the other.
    if not (flags & NAMED and isinstance(obj, type) and obj.__name__ == name.rpartition(".")[2]):
        return
    if _replace_latest(module, name, code) != code:
        _warn(
            (module, name, code),
            f"{module}.{name} was sent with a definition that differs from the previous one, and "
            "becomes a separate class: restart the server if its tasks should use the new one",
        )


def _replace_latest(module: str, name: str, digest: bytes) -> bytes:
    """Note the content of a name, and return the one that was noted before."""
    before = _latest.pop((module, name), digest)
    _latest[module, name] = digest
    while len(_latest) > _LATEST_MAX:
        _latest.pop(oldest(_latest, ("", "")), None)
    return before


def _is_whole(found: Found, whole: bytes | None) -> bool:
    digests, _, is_certain, _ = found
    return is_certain and digests[DATA] == (whole or b"")[:_DIGEST]


def _has(own: Any, key: Key) -> bool:
    """Return whether a definition of this process has the code of a key, whatever its state."""
    known = table.keys.get(own)
    code = known[2][CODE] if known is not None else _content(key[7]).code(own)
    return bool(code == key[2][CODE])


def _content(message: list[Any], is_raw: bool = False) -> Content:
    """Return the digests of this process's objects, which are made once for a message."""
    if not message:
        message += Content(), Content(is_raw=True)
    made: Content = message[is_raw]
    return made


def _is_of_tasks(obj: Any) -> bool:
    key = table.keys.get(obj)
    return key is not None and bool(key[3] & (SHIPPED | EXACT))


def _places(module: str, main: str | None) -> list[str]:
    """Return the names under which this process may have the module of a definition."""
    places = [module]
    if main is not None:
        # The sender's script may be a module here, such as the tasks file of a server.
        places += main, tasks_module(main)
    own = script()
    if module != MAIN and own is not None and module in (own, tasks_module(own)):
        places.append(MAIN)
    return places


def _own(module: str, name: str, kind: type) -> Any:
    found = find(module, name)
    if table.keys.get(found) is not None and not _is_of_tasks(found):
        # A client has sent it, and tasks have stored it: it stands only for that client's.
        return None
    return found if isinstance(found, kind) else None


def _imported(module: str, name: str, kind: type) -> Any:
    """Return what this process has under a name, imported if necessary, or None."""
    if module in sys.modules:
        return _own(module, name, kind)
    if module == script():
        # Importing the script would run it a second time.
        return _own(MAIN, name, kind)
    try:
        with Importing(module):
            __import__(module)
    except (Exception, SystemExit):
        # Whatever the import raises, the definition itself is in the message.
        return None
    return _own(module, name, kind) if is_local(module) else None


def _warn(identity: Identity, text: str) -> None:
    if identity in _warned:
        return
    if len(_warned) >= _WARNED_MAX:
        _warned.clear()
    _warned.add(identity)
    from bgpy import _warnings

    _warnings.warn(text)
