"""What a variable or an attribute was when it came, to see whether it is another one now."""

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
    """Return what a value is, in short; None of what cannot be looked at, and of code."""
    if is_definition(value):
        return None
    known = constant(value)
    if known is None:
        return Content().told(value)
    return known if len(known) <= _SHORT_BYTES else digest(known).digest()


class _Attributes:
    """What the attributes of a class were when they came, the last time and the time before."""

    __slots__ = ("before", "is_open", "now")

    def __init__(self) -> None:
        self.now: dict[str, bytes | None] = {}
        self.before: dict[str, bytes | None] = {}
        self.is_open = False


_attributes = WeakTable()


def begin(cls: type) -> None:
    """Note that a class gets its attributes, or gets them again."""
    known: _Attributes = _attributes.first(cls, _Attributes())
    # Another thread may be giving it the same ones.
    if not known.is_open:
        known.before, known.now, known.is_open = known.now, {}, True


def give(cls: type, attributes: dict[str, Any], has: Collection[str] = ()) -> None:
    """Give a class attributes.

    Those that came with the same values before stay as they are, as they may be others by now.

    Parameters
    ----------
    cls : type
        The class.
    attributes : dict
        All of them by their names, or some.
    has : collection of str
        Names of those that it has already.
    """
    known: _Attributes = _attributes.get(cls)
    for name, value in attributes.items():
        told = None if name.startswith("__") else mark(value)
        if name not in has and (told is None or told != known.before.get(name)):
            type.__setattr__(cls, name, value)
        known.now[name] = told


def end(cls: type) -> None:
    """Take from a class what it had, and has no longer where it is from."""
    known: _Attributes = _attributes.get(cls)
    for name in known.before.keys() - known.now.keys():
        if name in vars(cls):
            type.__delattr__(cls, name)
    known.before, known.is_open = {}, False
