"""Fingerprints of variables and attributes as they last arrived, to detect changes."""

from __future__ import annotations

from _thread import get_ident

from . import methods, table
from .assigned import assigned_cells, functions_of
from .constants import constant, digest
from .content import Content
from .data import arrived
from .kinds import is_definition
from .weak import WeakTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

_SHORT_BYTES = 32


def mark(value: Any) -> bytes | None:
    """Return a fingerprint of what has arrived; None if it is code or cannot be compared."""
    if is_definition(value):
        return None
    known = constant(value)
    if known is None:
        # What is too large or too strange to be looked into is compared by its pickle.
        return Content().told(value) or arrived(value)
    return known if len(known) <= _SHORT_BYTES else digest(known).digest()


class _Attributes:
    """What has arrived for a class."""

    __slots__ = ("arriving", "given", "marks")

    def __init__(self) -> None:
        # Fingerprints of the attributes as they last arrived.
        self.marks: dict[str, bytes | None] = {}
        # The methods that the class has got.
        self.given: dict[str, methods.Given] = {}
        # By thread, the names in the message that the thread is reading. None if another message
        # about the class was read meanwhile, or has failed: what it lacks is then unknown.
        self.arriving: dict[int, set[str] | None] = {}


_attributes = WeakTable()


def begin(cls: type) -> None:
    """Note that a message brings attributes of a class, for the first time or again."""
    arriving = _attributes.first(cls, _Attributes()).arriving
    thread = get_ident()
    arriving[thread] = None if thread in arriving else set()


def give(cls: type, attributes: dict[str, Any], has: Collection[str] = ()) -> None:
    """Set attributes of a class that have arrived.

    Attributes that arrived with the same value the last time are left alone: this process may have
    changed them since. A method is replaced by the one that has arrived, with its variables of now,
    unless this process has put something else in its place. Another thread may be giving the class
    the same ones.

    Parameters
    ----------
    cls : type
        The class.
    attributes : dict
        Some or all of its attributes.
    has : collection of str
        Names of attributes that are not set, because the class has them.
    """
    known: _Attributes = _attributes.first(cls, _Attributes())
    arrived = known.arriving.get(get_ident())
    cells = assigned_cells([it for value in attributes.values() for it in functions_of(value)])
    for name, value in attributes.items():
        is_method = methods.is_method(value)
        if is_method:
            told: bytes | None = methods.told(value, cells)
        elif is_definition(value):
            told = table.origin(value)
        else:
            told = None if name.startswith("__") else mark(value)
        is_new = told is None or told != known.marks.get(name)
        if name not in has and (is_new or (is_method and _has_as_given(cls, name, known))):
            type.__setattr__(cls, name, value)
            if is_method:
                known.given[name] = methods.Given(value)
        known.marks[name] = told
        if arrived is not None:
            arrived.add(name)


def _has_as_given(cls: type, name: str, known: _Attributes) -> bool:
    given = known.given.get(name)
    return given is not None and given.is_still(vars(cls).get(name))


def end(cls: type) -> None:
    """Delete attributes of a class that the sender's class no longer has."""
    known: _Attributes = _attributes.first(cls, _Attributes())
    arrived = known.arriving.pop(get_ident(), None)
    if arrived is None:
        return
    for name in list(known.marks):
        if name not in arrived:
            known.marks.pop(name, None)
            # Another thread may have deleted it.
            try:  # noqa: SIM105 (importing contextlib takes a while)
                type.__delattr__(cls, name)
            except AttributeError:
                pass


def skip(cls: type) -> None:
    """Note that the rest of a message about a class is not used."""
    known: _Attributes = _attributes.first(cls, _Attributes())
    known.arriving.pop(get_ident(), None)
