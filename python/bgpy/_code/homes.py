"""The variables of modules of other processes, which what was built of one of them shares.

A class stays from one message to the next, and its methods go on with the variables that they
have. What comes later of the same module gets the same ones, or a method and a function would not
see what the other does to them. Each message brings the values that they have where they are from;
those of tasks, which have state, go on here.
"""

from __future__ import annotations

from types import ModuleType

from . import table
from .data import may_be_shared
from .sent import mark
from .weak import WeakTable, weak_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

# By the module that they are from, and by the dict that holds the variables.
_homes: dict[bytes, Callable[[], ModuleType | None]] = {}
_places: dict[int, Callable[[], ModuleType | None]] = {}
# What holds them: classes, and tasks. Without those they are for one message.
_held = WeakTable()
# What the variables of tasks were when they came.
_sent = WeakTable()


def find(origin: bytes) -> ModuleType | None:
    """Return the module that holds the variables of a module of another process, if one does."""
    found = _homes.get(origin)
    return None if found is None else found()


def note(origin: bytes, module: ModuleType) -> None:
    """Note what holds the variables of a module of another process."""
    if origin and not table.is_own(origin):
        place = id(vars(module))
        _homes[origin] = weak_entry(_homes, origin, module)
        _places[place] = weak_entry(_places, place, module)


def of(variables: dict[str, Any]) -> ModuleType | None:
    """Return the module of another process that has these variables."""
    found = _places.get(id(variables))
    module = None if found is None else found()
    return module if module is not None and vars(module) is variables else None


def hold(obj: Any, module: ModuleType, is_task: bool) -> None:
    """Keep variables as long as an object lives that uses them."""
    if of(vars(module)) is module:
        _held.set(obj, module)
        _sent.first(module, {} if is_task else None)


def fill(variables: dict[str, Any], used: dict[str, Any], loaded: Iterable[str]) -> None:
    """Give a module the variables that a definition uses.

    Those of tasks stay what they are, unless they have changed where they are from.

    Parameters
    ----------
    variables : dict
        The variables of the module.
    used : dict
        Those that have come.
    loaded : iterable of str
        All that the definition looks for: what has not come is not there any more.
    """
    module = of(variables)
    sent: dict[str, bytes | None] | None = _sent.get(module)
    # Any other module is none to take something from.
    for name in loaded if module is not None else ():
        if name not in used and (sent is None or name in sent):
            variables.pop(name, None)
    for name, value in used.items():
        if name in variables:
            if variables[name] is value:
                continue
            if sent is not None and not _is_changed(sent, name, value):
                continue
            if table.has_joined and module is not None and _means_another(variables[name], value):
                table.note_change(module)
        elif sent is not None:
            sent[name] = mark(value)
        variables[name] = value


def _means_another(before: Any, value: Any) -> bool:
    """Tell whether code that others have joined may do something else with another value."""
    # What uses other data is joined by nobody.
    return may_be_shared(value) and (now := mark(value)) is not None and now != mark(before)


def _is_changed(sent: dict[str, bytes | None], name: str, value: Any) -> bool:
    """Tell whether a variable comes with another value than the last time."""
    now, before = mark(value), sent.get(name)
    sent[name] = now
    return now is None or now != before
