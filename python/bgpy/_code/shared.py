"""Cells, and dicts of globals without a module, that several functions share.

Neither can be referenced weakly, so they are identified by their id as long as a function that
holds them is alive. A variable of a function that encloses a class stays with the class from one
message to the next, as the globals of its module do (see `foreign_modules`), and later definitions
of the same enclosing function get it too.
"""

from __future__ import annotations

from _weakref import ref
from types import CellType

from . import table
from .received import mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType
    from typing import Any


class Shared:
    """Stands for a cell or a dict of globals that functions share."""

    __slots__ = ("__weakref__", "_holders", "is_of_tasks", "received")

    def __init__(self) -> None:
        self._holders: dict[int, Callable[[], FunctionType | None]] = {}
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


def origin(thing: CellType | dict[str, Any]) -> bytes:
    """Return the origin of a cell or dict, or nothing if no function is known to hold it."""
    known = _places.get(id(thing))
    return b"" if known is None else table.origin(known)


def hold(function: FunctionType, thing: CellType | dict[str, Any]) -> Shared:
    """Note that a function holds a cell or dict."""
    place = id(thing)
    known = _places.get(place) or _places.setdefault(place, Shared())
    known.hold(function, place)
    return known


def hold_cells(
    function: FunctionType, cells: tuple[CellType, ...], origins: tuple[bytes, ...], is_task: bool
) -> None:
    """Note the cells of a function that may live longer than its message."""
    for cell, told in zip(cells, origins, strict=False):
        if told and not table.is_own(told):
            known = hold(function, cell)
            table.remember(told, known)
            if is_task and not known.is_of_tasks:
                known.is_of_tasks, known.received = True, _told(contents_of(cell))


def cell_of(told: bytes) -> CellType | None:
    """Return the cell that stands for a cell of another process, or None."""
    known = table.of_origin(told) if told and not table.is_own(told) else None
    if type(known) is Shared:
        for holder in known.holders():
            if not table.has_left(_owner(holder)):
                for found in holder.__closure__ or ():
                    if _places.get(id(found)) is known:
                        return found
    return None


def fill_cell(place: CellType, contents: tuple[Any, ...]) -> None:
    """Set a cell to the sender's value, or empty it if the sender's cell is empty."""
    known, before = _places.get(id(place)), contents_of(place)
    if known is not None and before:
        if known.is_of_tasks:
            last, known.received = known.received, _told(contents)
            if known.received is not None and known.received == last:
                return
        elif table.has_joined and _told(contents) not in (None, _told(before)):
            _note_change(known)
    if contents:
        place.cell_contents = contents[0]
    elif before:
        del place.cell_contents


def contents_of(cell: CellType) -> tuple[Any, ...]:
    """Return the contents of a cell as a tuple, which is empty for an empty cell."""
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def _told(contents: tuple[Any, ...]) -> bytes | None:
    return mark(contents[0]) if contents else b""


def _owner(function: FunctionType) -> Any:
    """Return the class that a function was built for, or the function."""
    cls, _ = table.parts.get(function) or (lambda: function, ())
    return cls()


def _note_change(known: Shared) -> None:
    """Note a change of the functions that hold a cell, if several processes may share them."""
    for holder in known.holders():
        key = table.keys.get(_owner(holder))
        # Code that uses variables that change is never shared.
        if key is not None and not key[3] & table.BOUND:
            table.note_change(holder)
