"""The variables of modules of other processes, which what was built of one of them shares.

A class stays from one message to the next, and its methods go on with the variables that they
have. What comes later of the same module gets the same ones, or a method and a function would not
see what the other does to them. What that process has changed since arrives; whatever else was
changed here stays.
"""

from __future__ import annotations

from _weakref import ref
from types import ModuleType

from . import table
from .sent import mark
from .table import WeakTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# By the module that they are from, and by the dict that holds the variables.
_homes: dict[bytes, Callable[[], ModuleType | None]] = {}
_places: dict[int, Callable[[], ModuleType | None]] = {}
# What holds them: classes, and tasks. Without those they are for one message.
_held = WeakTable()
# What its variables were when they came.
_sent = WeakTable()


def find(origin: bytes) -> ModuleType | None:
    """Return the module that holds the variables of a module of another process, if one does."""
    found = _homes.get(origin)
    module = None if found is None else found()
    return module if module is not None and _sent.get(module) is not None else None


def note(origin: bytes, module: ModuleType) -> None:
    """Note what holds the variables of a module of another process."""
    if origin and not table.is_own(origin):
        place = id(vars(module))
        _homes[origin] = ref(module, lambda _: _homes.pop(origin, None))
        _places[place] = ref(module, lambda _: _places.pop(place, None))


def of(variables: dict[str, Any]) -> ModuleType | None:
    """Return the module of another process that has these variables."""
    found = _places.get(id(variables))
    module = None if found is None else found()
    return module if module is not None and vars(module) is variables else None


def hold(obj: Any, module: ModuleType) -> None:
    """Keep variables as long as an object lives that uses them."""
    if of(vars(module)) is module:
        _held.set(obj, module)
        _sent.first(module, {})


def fill(variables: dict[str, Any], used: dict[str, Any]) -> None:
    """Give a module the variables that a definition uses, unless it has them as they are."""
    module = of(variables)
    sent: dict[str, bytes | None] | None = _sent.get(module)
    if sent is None:
        for name, value in used.items():
            variables.setdefault(name, value)
        return
    for name, value in used.items():
        is_there = name in variables
        if is_there and variables[name] is value and name in sent:
            continue
        now = mark(value)
        if not is_there or now is None or now != sent.get(name):
            if is_there and variables[name] is not value:
                table.note_change(module)
            variables[name] = value
        sent[name] = now
