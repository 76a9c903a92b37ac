"""Notices that another thread changes code while it is pickled.

A digest tells of what was there when it was made, and the contents are pickled later.
"""

from __future__ import annotations

from _thread import _count
from operator import is_
from types import FunctionType

from . import snapshot
from .kinds import is_told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Outlines:
    """The code that was digested for a message, with the objects that it consisted of."""

    def __init__(self) -> None:
        self._found: list[tuple[Any, list[Any]]] = []
        # Code of the thread that pickles changes nothing in the meantime.
        self._is_needed = _count() > 0

    def note(self, obj: Any) -> None:
        """Note an object that is about to be digested."""
        if self._is_needed:
            self._found.append((obj, _outline(obj)))

    def note_parts(self, obj: Any) -> None:
        """Note what a definition consists of whose digest may still be valid."""
        if self._is_needed:
            self._found += [(part, _outline(part)) for part in snapshot.parts(obj)]

    def have_changed(self) -> bool:
        """Return whether any of the code has changed since."""
        for obj, before in self._found:
            now = _outline(obj)
            if len(now) != len(before) or not all(map(is_, now, before)):
                return True
        return False


def _outline(obj: Any) -> list[Any]:
    """Return the objects that code consists of: quickly, and nothing of what it uses."""
    if type(obj) is FunctionType:
        found = [obj.__code__, obj.__defaults__, obj.__kwdefaults__]
        for cell in obj.__closure__ or ():
            try:  # noqa: SIM105 (importing contextlib takes a while)
                found.append(cell.cell_contents)
            except ValueError:
                pass
        return found
    if isinstance(obj, type):
        held = [value for name, value in list(vars(obj).items()) if is_told(name)]
        return [*held, *obj.__bases__]
    return []
