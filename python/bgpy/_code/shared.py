"""What functions share that nothing can refer to weakly: cells, and globals of no module.

It is known by its place in memory, as long as a function lives that holds it. A variable of a
function around a class stays with the class from one message to the next, as the variables of its
module do (see `homes`), and what comes later of the same function gets it too.
"""

from __future__ import annotations

from _weakref import ref
from types import CellType

from . import table
from .sent import mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType
    from typing import Any


class Shared:
    """What several functions may hold: a cell, or the dict of their globals."""

    __slots__ = ("__weakref__", "_holders", "is_of_tasks", "sent")

    def __init__(self) -> None:
        self._holders: dict[int, Callable[[], FunctionType | None]] = {}
        # Variables of tasks, which have state, go on, unless they change where they are from.
        self.is_of_tasks = False
        self.sent: bytes | None = None

    def hold(self, function: FunctionType, place: int) -> None:
        """Note that a function holds it, which lives at a place in memory."""
        number, places = id(function), _places
        if number in self._holders:
            return

        # Without a look at the module, whose names may be gone when the interpreter ends.
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
    """Return what tells a thing from every other one, if a function is known that holds it."""
    known = _places.get(id(thing))
    return b"" if known is None else table.origin(known)


def hold(function: FunctionType, thing: CellType | dict[str, Any]) -> Shared:
    """Note that a function holds a thing."""
    place = id(thing)
    known = _places.get(place) or _places.setdefault(place, Shared())
    known.hold(function, place)
    return known


def hold_cells(
    function: FunctionType, cells: tuple[CellType, ...], origins: tuple[bytes, ...], is_task: bool
) -> None:
    """Keep variables that have come with a function which lives longer than the message."""
    for cell, told in zip(cells, origins, strict=False):
        if told and not table.is_own(told):
            known = hold(function, cell)
            table.remember(told, known)
            if is_task and not known.is_of_tasks:
                known.is_of_tasks, known.sent = True, _told(contents_of(cell))


def cell_of(told: bytes) -> CellType | None:
    """Return the cell that stands for one of another process, if there is one."""
    known = table.of_origin(told) if told and not table.is_own(told) else None
    if type(known) is Shared:
        for holder in known.holders():
            if not table.has_left(_owner(holder)):
                for found in holder.__closure__ or ():
                    if _places.get(id(found)) is known:
                        return found
    return None


def fill_cell(place: CellType, contents: tuple[Any, ...]) -> None:
    """Give a cell what it holds where it is from, if it holds anything there."""
    known, before = _places.get(id(place)), contents_of(place)
    if known is not None and before:
        if known.is_of_tasks:
            last, known.sent = known.sent, _told(contents)
            if known.sent is not None and known.sent == last:
                return
        elif table.has_joined and _told(contents) not in (None, _told(before)):
            _note_change(known)
    if contents:
        place.cell_contents = contents[0]
    elif before:
        del place.cell_contents


def contents_of(cell: CellType) -> tuple[Any, ...]:
    """Return what a cell holds, as a tuple of one or none."""
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
    """Note what may do something else now, where others may have joined it."""
    for holder in known.holders():
        key = table.keys.get(_owner(holder))
        # What uses variables that change is joined by nobody.
        if key is not None and not key[3] & table.BOUND:
            table.note_change(holder)
