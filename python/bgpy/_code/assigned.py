"""What the code of a module assigns to and changes, which makes it state."""

from __future__ import annotations

import sys
from types import FunctionType

from .local import is_local, module_of
from .names import attributes_in, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Assigned:
    """What code assigns to."""

    __slots__ = ("attributes", "cells", "changes", "outside", "stored")

    def __init__(self) -> None:
        self.stored: set[str] = set()
        self.attributes: set[str] = set()
        # Attributes that a module assigns to outside of functions.
        self.outside: set[str] = set()
        # Cells of closures, by their ids.
        self.cells: set[int] = set()
        # Whether it changes lists, dicts and the like, of whomever.
        self.changes = False

    def add(self, value: Any) -> None:
        """Add what a function does, or those of a class do."""
        for held in list(vars(value).values()) if isinstance(value, type) else [value]:
            for function in _functions(held):
                used = names(function.__code__)
                self.stored |= used.stored
                self.attributes |= used.attributes
                self.changes |= used.changes
                variables = zip(
                    function.__code__.co_freevars, function.__closure__ or (), strict=False
                )
                self.cells.update(id(cell) for name, cell in variables if name in used.kept)

    def include(self, other: Assigned) -> None:
        """Add what other code assigns to."""
        self.stored |= other.stored
        self.attributes |= other.attributes
        self.outside |= other.outside
        self.cells |= other.cells
        self.changes |= other.changes


class Assignments:
    """What definitions and their modules assign to, each module looked at once."""

    def __init__(self) -> None:
        self._modules: dict[str, Assigned] = {}

    def of(self, obj: Any) -> Assigned:
        """Return what the code of an object and of its module assigns to."""
        own = Assigned()
        own.add(obj)
        own.include(self.of_module(module_of(obj) or ""))
        return own

    def of_module(self, module: str) -> Assigned:
        """Return what the code of a module assigns to, if it is the user's own."""
        known = self._modules.get(module)
        if known is not None:
            return known
        known = self._modules[module] = Assigned()
        if is_local(module):
            for value in list(vars(sys.modules[module]).values()):
                if module_of(value) == module:
                    known.add(value)
            file = getattr(sys.modules[module], "__file__", None)
            if isinstance(file, str):
                known.outside |= attributes_in(file)
        return known


def _functions(value: Any) -> list[FunctionType]:
    kind = type(value)
    if kind is property:
        inner = [value.fget, value.fset, value.fdel]
    elif kind in (staticmethod, classmethod):
        inner = [value.__func__, getattr(value.__func__, "__wrapped__", None)]
    elif kind.__module__ == "functools":
        inner = [getattr(value, "func", None), getattr(value, "__wrapped__", None)]
    else:
        inner = [value]
    return [function for function in inner if type(function) is FunctionType]
