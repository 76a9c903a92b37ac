"""Cells that arrive with functions: which cell of this process each one means.

What one message brings has the same variables in common as where it is from. A variable of a
function that encloses a class stays with the class from one message to the next, as the globals of
its module do (see `foreign_modules`), and later definitions of the same enclosing function get it
too. So does one of tasks. Any other variable to which functions assign is new in each message, and
so are all functions that have it, so that nothing changes what arrived before. One to which none
assigns is the one that arrived before, as long as it has the same value.
"""

from __future__ import annotations

from _weakref import ref
from types import CellType

from . import holders, table
from .assigned import functions_of
from .constants import constant
from .data import may_change
from .holders import ASSIGNED, Shared
from .kinds import is_definition
from .received import mark
from .weak import WeakTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FunctionType
    from typing import Any

# The class that has a function as an attribute, weakly, if the function is not a part of it.
_kept_by = WeakTable()


def cell(told: bytes) -> CellType:
    """Return the cell of a class or of tasks that is meant, or an empty one."""
    known = _known(told)
    for holder in known.holders() if known is not None and known.is_kept else ():
        owner = _owner(holder)
        if owner is not None and not table.has_left(owner):
            for found in holder.__closure__ or ():
                if holders.of(found) is known:
                    return found
    return CellType()


def settled(cells: tuple[CellType, ...], told: tuple[bytes, ...]) -> tuple[CellType, ...]:
    """Return the cells for a new function: those that arrived before, or else those given."""
    return tuple(map(_settled, cells, told)) if cells else cells


def suits(function: FunctionType, cells: tuple[CellType, ...], told: tuple[bytes, ...]) -> bool:
    """Return whether a function that is meant has the variables that a message brings."""
    if keeps_cells(function):
        return True
    found = []
    for own, cell, it in zip(function.__closure__ or (), cells, told, strict=False):
        if own is cell:
            continue
        if it.endswith(ASSIGNED) or holders.of(cell) is not None:
            # A function of this message has the other cell.
            return False
        known = table.of_origin(it)
        if known is None:
            found.append((it, own))
        elif known is not holders.of(own):
            return False
        if not _is_same(own, cell) and not _refers_to_itself(own, cell):
            return False
    for it, own in found:
        # What else has this variable gets it too.
        table.remember(it, holders.hold(function, own))
    return True


def keeps_cells(function: Any) -> bool:
    """Return whether a function is of this process itself, or of tasks."""
    key = table.keys.get(function)
    return key is None or bool(key[3] & (table.SHIPPED | table.EXACT))


def hold_cells(
    function: FunctionType, told: tuple[bytes, ...], is_kept: bool, is_task: bool
) -> None:
    """Note the cells of a function that was built, and whether a class or tasks keep them."""
    for cell, it in zip(function.__closure__ or (), told, strict=False):
        if it and not table.is_own(it):
            known, place = holders.hold(function, cell), it.removesuffix(ASSIGNED)
            known.is_kept |= is_kept
            if table.of_origin(place) is not known:
                table.remember(place, known)
            if is_task and not known.is_of_tasks:
                known.is_of_tasks, known.received = True, _told(contents_of(cell))


def keep(cls: type, attributes: Iterable[Any]) -> None:
    """Note the functions among the attributes of a class, so that their variables stay with it."""
    for value in attributes:
        inside = value.values() if type(value) is dict else value
        for it in inside if type(value) in (dict, list, tuple) else [value]:
            for function in [] if isinstance(it, type) else functions_of(it):
                if function.__closure__ and not keeps_cells(function):
                    _kept_by.first(function, ref(cls))
                    for cell in function.__closure__:
                        holders.hold(function, cell).is_kept = True


def fill_cell(place: CellType, contents: tuple[Any, ...]) -> None:
    """Set a cell to the sender's value, or empty it if the sender's cell is empty."""
    known, before = holders.of(place), contents_of(place)
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


def _known(told: bytes) -> Shared | None:
    """Return what stands for the cell that was built last for an origin, while it is held."""
    found = table.of_origin(told.removesuffix(ASSIGNED)) if told else None
    return found if type(found) is Shared and not table.is_own(told) else None


def _settled(cell: CellType, told: bytes) -> CellType:
    if told.endswith(ASSIGNED) or holders.of(cell) is not None:
        return cell
    known = _known(told)
    for holder in known.holders() if known is not None else ():
        for found in holder.__closure__ or ():
            if holders.of(found) is known:
                return found if _is_same(found, cell) else cell
    return cell


def _refers_to_itself(own: CellType, cell: CellType) -> bool:
    """Return whether the value of a cell is code that contains the cell, which is filled last."""
    contents = contents_of(own)
    return bool(contents) and is_definition(contents[0]) and not contents_of(cell)


def _is_same(one: CellType, other: CellType) -> bool:
    """Return whether two cells have the same value, which nothing but an assignment changes."""
    this, that = contents_of(one), contents_of(other)
    if not this or not that:
        # It may be filled later, by this message or by another one.
        return False
    value, its = this[0], that[0]
    if value is its:
        return True
    if type(value) is not type(its) or is_definition(value):
        return False
    known = constant(value)
    if known is not None or constant(its) is not None:
        return known == constant(its)
    told = None if may_change(value, changes=True) else mark(value)
    return told is not None and told == mark(its)


def _told(contents: tuple[Any, ...]) -> bytes | None:
    return mark(contents[0]) if contents else b""


def _owner(function: FunctionType) -> Any:
    """Return the class that keeps the variables of a function, or the function of tasks; or None.

    What it was built for, or what has it as an attribute.
    """
    cls, _ = table.parts.get(function) or (_kept_by.get(function), ())
    if cls is not None:
        return cls()
    return function if table.keys.get(function) is not None and keeps_cells(function) else None


def _note_change(known: Shared) -> None:
    """Note a change of the functions that hold a cell, if several processes may share them."""
    for holder in known.holders():
        key = table.keys.get(_owner(holder))
        # Code that uses variables that change is never shared.
        if key is not None and not key[3] & table.BOUND:
            table.note_change(holder)
