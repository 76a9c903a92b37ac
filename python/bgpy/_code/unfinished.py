"""Objects that get their contents later in the message that brings them."""

from __future__ import annotations

import operator
from _thread import get_ident

from .weak import WeakTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CellType
    from typing import Any

# Objects that get their contents later: whether they were complete before, and the thread that
# reads the message, which keeps them alive.
_unfinished = WeakTable()


def begin_part(obj: Any, is_renewed: bool = False) -> Any:
    """Note that an object gets its contents later."""
    _unfinished.set(obj, (is_renewed, get_ident()))
    return obj


def is_unfinished(obj: Any) -> bool:
    """Return whether an object is being built, or is getting new contents."""
    return _unfinished.get(obj) is not None


def is_new(obj: Any) -> bool:
    """Return whether an object is being built, and was never complete."""
    found = _unfinished.get(obj)
    return found is not None and not found[0]


def is_renewed(obj: Any) -> bool:
    """Return whether an object that was complete is getting new contents."""
    found = _unfinished.get(obj)
    return found is not None and bool(found[0])


def finish(obj: Any) -> None:
    """Note that an object has its contents."""
    _unfinished.remove(obj)


def of_this_thread() -> list[Any]:
    """Return the objects that this thread has not finished."""
    thread = get_ident()
    return [obj for obj, (_, builder) in _unfinished.items() if builder == thread]


def has_cells(function: Any, cells: tuple[CellType, ...]) -> bool:
    """Return whether the variables of a closure are these cells."""
    own = getattr(function, "__closure__", None) or ()
    return len(own) == len(cells) and all(map(operator.is_, own, cells))


def may_adopt(obj: Any, made: Any) -> bool:
    """Return whether an object may stand for one that was just made.

    A function has its own variables, which another message fills.
    """
    if isinstance(obj, type):
        return True
    cells, others = (
        getattr(obj, "__closure__", None) or (),
        getattr(made, "__closure__", None) or (),
    )
    is_same = len(cells) == len(others) and all(map(operator.is_, cells, others))
    return is_same and getattr(obj, "__wrapped__", None) is getattr(made, "__wrapped__", None)
