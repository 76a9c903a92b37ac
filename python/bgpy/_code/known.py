"""Chooses what stands for a definition that arrives: what this process has, or nothing yet.

What is there is never changed by what arrives.
"""

from __future__ import annotations

import sys

from . import table
from .content import Content
from .local import MAIN, find, is_local, script
from .table import EXACT, NAMED, SHIPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .table import Identity, Key

_WARNED_MAX = 4096

_warned: set[Identity] = set()
_digests = table.WeakTable()


def choose(key: Key, kind: type) -> Any:
    """Return the object of this process that a definition means, or None if it has to be built.

    Parameters
    ----------
    key : tuple
        The definition's key.
    kind : type
        What the definition is an instance of.
    """
    module, name, digest, flags, main = key
    identity = module, name, digest
    known = table.built(identity)
    if known is not None and (flags & SHIPPED or _is_shipped(known)):
        return known
    if flags & SHIPPED:
        return None
    is_named = bool(flags & NAMED)
    others: list[str] = []
    if is_named:
        for place in _places(module, main):
            own = _own(place, name, kind)
            if own is not None and _has(own, digest):
                return own
            if own is not None and MAIN in (place, module):
                others.append(f"{place}.{name}")
    for found in (table.sent(identity), known):
        if isinstance(found, kind):
            return found
    if not is_named or module == MAIN:
        if others and kind is type and not table.is_foreign(key):
            _warn(
                identity,
                f"{module}.{name} came with other content than {others[0]} of this process, and is "
                "another class: restart the server after a change",
            )
        return None
    own = _imported(module, name, kind)
    if own is None or table.is_foreign(key) or _has(own, digest):
        # The code of another version of Python is told in another way, and nothing can be compared.
        return own
    if flags & EXACT:
        return None
    if "<locals>" in getattr(own, "__qualname__", ""):
        # A closure may have moved on, which no code of its own tells.
        return own
    _warn(
        identity,
        f"{module}.{name} came with other content than this process has under that name, and means "
        "the one here: use the same version of the module on both sides, and restart the server "
        "after a change",
    )
    return own


def note_new(key: Key, obj: Any) -> None:
    """Tell when a class is built that is not the one which had its name before."""
    module, name, digest, flags, _ = key
    if not (flags & NAMED and isinstance(obj, type)):
        return
    if table.replace_latest(module, name, digest) != digest:
        _warn(
            (module, name, digest),
            f"{module}.{name} came with other content than before, and is another class now: "
            "restart the server if its tasks are to know the new one",
        )


def _has(own: Any, digest: bytes) -> bool:
    """Tell whether a definition of this process has a content, or had it when last asked."""
    key = table.keys.get(own)
    if key is not None:
        return bool(key[2] == digest)
    if _digests.get(own) == digest:
        return True
    new, _ = Content().digest(own)
    _digests.set(own, new)
    return new == digest


def _is_shipped(obj: Any) -> bool:
    key = table.keys.get(obj)
    return key is not None and bool(key[3] & SHIPPED)


def _places(module: str, main: str | None) -> list[str]:
    """Return the names of imported modules that may be the one that is meant."""
    places = [module]
    if main is not None:
        # A script there may be a module here, as the file of a server's tasks is.
        places.append(main)
    if module != MAIN and module == script():
        places.append(MAIN)
    return places


def _own(module: str, name: str, kind: type) -> Any:
    found = find(module, name)
    return found if isinstance(found, kind) else None


def _imported(module: str, name: str, kind: type) -> Any:
    """Return what this process has under a name, imported if need be, or None."""
    if module in sys.modules:
        return _own(module, name, kind)
    if module == script():
        # Imported, the script would run a second time.
        return _own(MAIN, name, kind)
    try:
        __import__(module)
    except (Exception, SystemExit):
        # Whatever goes wrong in there, the definition has come along.
        return None
    return _own(module, name, kind) if is_local(module) else None


def _warn(identity: Identity, text: str) -> None:
    if identity in _warned:
        return
    if len(_warned) >= _WARNED_MAX:
        _warned.clear()
    _warned.add(identity)
    import warnings

    warnings.warn(text, RuntimeWarning, stacklevel=2)
