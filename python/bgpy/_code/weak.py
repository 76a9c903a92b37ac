"""Tables whose entries disappear with their objects.

There are no locks: each step is a single, atomic operation on a dict.
"""

from __future__ import annotations

from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class WeakTable:
    """A mapping from objects, by identity and weakly referenced, to values."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[Callable[[], Any], Any]] = {}

    def get(self, obj: Any) -> Any:
        """Return the value of an object, or None."""
        entry = self._entries.get(id(obj))
        return entry[1] if entry is not None and entry[0]() is obj else None

    def set(self, obj: Any, value: Any) -> None:
        """Give an object a value."""
        self._entries[id(obj)] = self._entry(obj, value)

    def first(self, obj: Any, value: Any) -> Any:
        """Set the value of an object unless it has one, and return the value that it has."""
        entry = self._entry(obj, value)
        found = self._entries.setdefault(id(obj), entry)
        if found[0]() is obj:
            return found[1]
        # The entry belongs to a released object that had the same id.
        self._entries[id(obj)] = entry
        return value

    def remove(self, obj: Any) -> None:
        """Forget the value of an object."""
        if self.get(obj) is not None:
            self._entries.pop(id(obj), None)

    def items(self) -> list[tuple[Any, Any]]:
        """Return all objects with their values."""
        found = [(entry[0](), entry[1]) for entry in list(self._entries.values())]
        return [(obj, value) for obj, value in found if obj is not None]

    def clear(self) -> None:
        """Forget all values."""
        self._entries.clear()

    def _entry(self, obj: Any, value: Any) -> tuple[Callable[[], Any], Any]:
        place = id(obj)
        return _weak(obj, lambda: self._entries.pop(place, None)), value


def oldest(table: dict[Any, Any], default: Any) -> Any:
    """Return the oldest key of a table."""
    try:
        return next(iter(table), default)
    except RuntimeError:
        # Another thread has changed the table in the meantime, and limits its size itself.
        return default


def _weak(obj: Any, forget: Callable[[], Any]) -> Callable[[], Any]:
    try:
        return ref(obj, lambda _: forget())
    except TypeError:
        return lambda: obj


def weak_entry(table: dict[Any, Callable[[], Any]], place: Any, obj: Any) -> Callable[[], Any]:
    """Make a table entry that disappears with an object, unless it was replaced by then."""

    def forget(entry: Any) -> None:
        if table.get(place) is entry:
            table.pop(place, None)

    try:
        return ref(obj, forget)
    except TypeError:
        return lambda: obj
