"""Cells, and dicts of globals without a module, and the functions that hold them.

Neither can be referenced weakly, so they are identified by their id as long as a function that
holds them is alive.
"""

from __future__ import annotations

from _weakref import ref

from . import table
from .names import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CellType, FunctionType
    from typing import Any

# Follows the origin of a cell to which functions assign.
ASSIGNED = b"="


class Shared:
    """Stands for a cell or a dict of globals that functions share."""

    __slots__ = ("__weakref__", "_holders", "is_assigned", "is_kept", "is_of_tasks", "received")

    def __init__(self) -> None:
        self._holders: dict[int, Callable[[], FunctionType | None]] = {}
        # Whether a function that was sent assigns to it.
        self.is_assigned = False
        # Whether a class or tasks keep it from one message to the next.
        self.is_kept = False
        # Variables of tasks keep their values here, unless the sender's values change.
        self.is_of_tasks = False
        self.received: bytes | None = None

    def hold(self, function: FunctionType, place: int) -> None:
        """Note that a function holds the object with the id `place`."""
        number, places = id(function), _places
        if number in self._holders:
            return

        # Uses no globals: they may be gone when the interpreter shuts down.
        def forget(_: object) -> None:
            self._holders.pop(number, None)
            if not self._holders and places.get(place) is self:
                places.pop(place, None)

        self._holders[number] = ref(function, forget)

    def holders(self) -> list[FunctionType]:
        """Return the functions that hold it."""
        found = [holder() for holder in list(self._holders.values())]
        return [holder for holder in found if holder is not None]


_places: dict[int, Shared] = {}


def of(thing: CellType | dict[str, Any]) -> Shared | None:
    """Return what stands for a cell or dict, or None if no function is known to hold it."""
    return _places.get(id(thing))


def hold(function: FunctionType, thing: CellType | dict[str, Any]) -> Shared:
    """Note that a function holds a cell or dict."""
    place = id(thing)
    known = _places.get(place) or _places.setdefault(place, Shared())
    known.hold(function, place)
    return known


def hold_cells(function: FunctionType, new: set[Shared]) -> bool:
    """Note the cells of a function that is sent.

    Parameters
    ----------
    function : function
        The function.
    new : set of Shared
        What stands for cells that no earlier message contains. Those of the function are added.

    Returns
    -------
    bool
        Whether it assigns to a cell that an earlier message contains, of which that was not known.
    """
    is_news = False
    kept = names(function.__code__).kept
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        known = _places.get(id(cell))
        if known is None:
            known = hold(function, cell)
            new.add(known)
        else:
            known.hold(function, id(cell))
        if name in kept and not known.is_assigned:
            known.is_assigned = True
            is_news |= known not in new
    return is_news


def is_assigned(cell: CellType) -> bool:
    """Return whether a function that was sent assigns to a cell."""
    known = _places.get(id(cell))
    return known is not None and known.is_assigned


def origin(thing: CellType | dict[str, Any]) -> bytes:
    """Return the origin of a cell or dict, or nothing if no function is known to hold it."""
    known = _places.get(id(thing))
    return b"" if known is None else table.origin(known)


def origin_of_cell(cell: CellType) -> bytes:
    """Return the origin of a cell, which also tells whether functions assign to it."""
    known = _places.get(id(cell))
    if known is None:
        return b""
    return table.origin(known) + ASSIGNED if known.is_assigned else table.origin(known)
