"""Fingerprints of variables and attributes as they last arrived, to detect changes."""

from __future__ import annotations

from .constants import constant, digest
from .content import Content
from .kinds import is_definition
from .weak import WeakTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

_SHORT_BYTES = 32


def mark(value: Any) -> bytes | None:
    """Return a fingerprint of a value; None if it is code or cannot be inspected."""
    if is_definition(value):
        return None
    known = constant(value)
    if known is None:
        return Content().told(value)
    return known if len(known) <= _SHORT_BYTES else digest(known).digest()


class _Attributes:
    """Fingerprints of a class's attributes as they arrived, the last time and the time before."""

    __slots__ = ("before", "is_open", "now")

    def __init__(self) -> None:
        self.now: dict[str, bytes | None] = {}
        self.before: dict[str, bytes | None] = {}
        self.is_open = False


_attributes = WeakTable()


def begin(cls: type) -> None:
    """Note that attributes arrive for a class, for the first time or again."""
    known: _Attributes = _attributes.first(cls, _Attributes())
    # Another thread may be giving it the same ones.
    if not known.is_open:
        known.before, known.now, known.is_open = known.now, {}, True


def give(cls: type, attributes: dict[str, Any], has: Collection[str] = ()) -> None:
    """Set attributes of a class that have arrived.

    Attributes that arrived with the same value the last time are left alone: this process may have
    changed them since.

    Parameters
    ----------
    cls : type
        The class.
    attributes : dict
        Some or all of its attributes.
    has : collection of str
        Names of attributes that are not set, because the class has them.
    """
    known: _Attributes = _attributes.get(cls)
    for name, value in attributes.items():
        told = None if name.startswith("__") else mark(value)
        if name not in has and (told is None or told != known.before.get(name)):
            type.__setattr__(cls, name, value)
        known.now[name] = told


def end(cls: type) -> None:
    """Delete attributes of a class that the sender's class no longer has."""
    known: _Attributes = _attributes.get(cls)
    for name in known.before.keys() - known.now.keys():
        if name in vars(cls):
            type.__delattr__(cls, name)
    known.before, known.is_open = {}, False
