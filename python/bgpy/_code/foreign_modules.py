"""Modules that stand for the modules of other processes, and hold the globals of rebuilt code.

A class stays from one message to the next, and its methods keep their globals. Later definitions of
the same module get the same globals, so that functions and methods see each other's assignments.
Each message updates them to the values that they have in the sender's process, except for tasks,
which have their own state here.
"""

from __future__ import annotations

from types import ModuleType

from . import table
from .data import may_be_shared
from .received import mark
from .weak import WeakTable, weak_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

# By the origin of the sender's module, and by the id of the dict that holds the globals.
_by_origin: dict[bytes, Callable[[], ModuleType | None]] = {}
_by_namespace: dict[int, Callable[[], ModuleType | None]] = {}
# Classes and tasks keep them alive; otherwise they last for one message.
_held = WeakTable()
# The globals of tasks as they last arrived.
_received = WeakTable()


def find(origin: bytes) -> ModuleType | None:
    """Return the module that stands for a module of another process, or None."""
    found = _by_origin.get(origin)
    return None if found is None else found()


def note(origin: bytes, module: ModuleType) -> None:
    """Note the module that stands for a module of another process."""
    if origin and not table.is_own(origin):
        place = id(vars(module))
        _by_origin[origin] = weak_entry(_by_origin, origin, module)
        _by_namespace[place] = weak_entry(_by_namespace, place, module)


def of(variables: dict[str, Any]) -> ModuleType | None:
    """Return the module with these globals if it stands for one of another process, or None."""
    found = _by_namespace.get(id(variables))
    module = None if found is None else found()
    return module if module is not None and vars(module) is variables else None


def hold(obj: Any, module: ModuleType, is_task: bool) -> None:
    """Keep a module alive as long as an object that uses its globals."""
    if of(vars(module)) is module:
        _held.set(obj, module)
        _received.first(module, {} if is_task else None)


def fill(variables: dict[str, Any], used: dict[str, Any], loaded: Iterable[str]) -> dict[int, Any]:
    """Update the globals that a definition uses.

    Those of tasks keep their values, unless the values have changed in the sender's process.

    Parameters
    ----------
    variables : dict
        Globals of the module.
    used : dict
        Globals that have arrived with the definition.
    loaded : iterable of str
        All names that the definition reads: those that did not arrive were deleted by the sender.

    Returns
    -------
    dict
        By the ids of what has arrived, the values that variables kept instead.
    """
    kept = {}
    module = of(variables)
    received: dict[str, bytes | None] | None = _received.get(module)
    # Nothing is deleted from a module of this process itself.
    for name in loaded if module is not None else ():
        if name not in used and (received is None or name in received):
            variables.pop(name, None)
    for name, value in used.items():
        if name in variables:
            if variables[name] is value:
                continue
            if received is not None and not _is_changed(received, name, value):
                kept[id(value)] = variables[name]
                continue
            if table.has_joined and module is not None and _means_another(variables[name], value):
                table.note_change(module)
        elif received is not None:
            received[name] = mark(value)
        variables[name] = value
    return kept


def _means_another(before: Any, value: Any) -> bool:
    """Return whether a new value may change what code does that several processes have sent."""
    # Code that uses any other data stands for one process only.
    return may_be_shared(value) and (now := mark(value)) is not None and now != mark(before)


def _is_changed(received: dict[str, bytes | None], name: str, value: Any) -> bool:
    """Return whether a variable arrives with another value than the last time."""
    now, before = mark(value), received.get(name)
    received[name] = now
    return now is None or now != before
