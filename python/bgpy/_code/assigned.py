"""What the code of a module assigns to or changes: those variables are state, not content."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType, NoneType

from .local import is_local, module_of
from .names import attributes_in, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CellType, CodeType
    from typing import Any

_KEPT_MAX = 1024
# Types without code, whose objects need not be asked for their module.
_DATA = {ModuleType, NoneType, bool, bytes, dict, float, int, list, set, str, tuple}
_WRAPPERS = {property, staticmethod, classmethod}

# What modules assign to, with the code it was derived from, in the order of the module's variables.
# Equal code assigns to the same, so an entry is valid as long as the code is equal.
_kept: dict[str, tuple[ModuleType, list[CodeType], Assigned]] = {}


class Assigned:
    """What code assigns to, except variables of closures."""

    __slots__ = ("attributes", "changes", "codes", "outside", "stored")

    def __init__(self, codes: list[CodeType]) -> None:
        # All of the code, by its id.
        self.codes = {id(code): code for code in codes}
        self.stored: set[str] = set()
        self.attributes: set[str] = set()
        # Attributes that a module assigns to outside of functions.
        self.outside: set[str] = set()
        # Whether it changes any lists, dicts or other containers.
        self.changes = False
        self._add(codes)

    def _add(self, codes: list[CodeType]) -> None:
        for code in codes:
            used = names(code)
            self.stored |= used.stored
            self.attributes |= used.attributes
            self.changes |= used.changes

    def with_codes(self, codes: list[CodeType]) -> Assigned:
        """Return what this code and some more assigns to."""
        more = [code for code in codes if id(code) not in self.codes]
        if not more:
            return self
        both = Assigned(more)
        both.stored |= self.stored
        both.attributes |= self.attributes
        both.outside |= self.outside
        both.changes |= self.changes
        return both


_NOTHING = Assigned([])


class Assignments:
    """What definitions and their modules assign to, with each module inspected once."""

    def __init__(self) -> None:
        self._modules: dict[str, Assigned] = {}
        # Variables of closures that are assigned to, by the ids of their cells.
        self._cells: dict[str, set[int]] = {}
        self._functions: dict[str, list[FunctionType]] = {}

    def of(self, obj: Any) -> Assigned:
        """Return what the code of an object and of its module assigns to."""
        return self.of_module(module_of(obj) or "").with_codes(_codes(functions_of(obj)))

    def cells(self, function: FunctionType) -> set[int]:
        """Return the ids of the cells that a function and the code of its module assign to."""
        module = module_of(function) or ""
        known = self._cells.get(module)
        if known is None:
            self.of_module(module)
            known = self._cells[module] = assigned_cells(self._functions[module])
        own = assigned_cells([function])
        return known | own if own else known

    def of_module(self, module: str) -> Assigned:
        """Return what the code of a module assigns to, if it is the user's own."""
        known = self._modules.get(module)
        if known is None:
            functions = self._functions[module] = _held(module)
            known = self._modules[module] = _of_module(module, _codes(functions))
        return known


def _of_module(name: str, codes: list[CodeType]) -> Assigned:
    if not is_local(name):
        return _NOTHING
    module = sys.modules[name]
    known = _kept.get(name)
    if known is not None and known[0] is module and known[1] == codes:
        return known[2]
    assigned = Assigned(codes)
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        assigned.outside |= attributes_in(file)
    if len(_kept) >= _KEPT_MAX:
        _kept.clear()
    _kept[name] = module, codes, assigned
    return assigned


def _held(module: str) -> list[FunctionType]:
    """Return the functions of a module, those of its classes included."""
    found: list[FunctionType] = []
    if is_local(module):
        for value in list(vars(sys.modules[module]).values()):
            if type(value) not in _DATA and module_of(value) == module:
                found += functions_of(value)
    return found


def functions_of(value: Any) -> list[FunctionType]:
    """Return the functions in a function, wrapper or class."""
    if type(value) is FunctionType:
        return [value]
    found: list[FunctionType] = []
    for held in list(vars(value).values()) if isinstance(value, type) else [value]:
        kind = type(held)
        if kind is FunctionType:
            found.append(held)
        elif kind in _WRAPPERS or kind.__module__ == "functools":
            found += _wrapped(held, kind)
    return found


def assigned_cells(functions: list[FunctionType]) -> set[int]:
    """Return the ids of the cells that functions assign to."""
    found: set[int] = set()
    for function in functions:
        cells: tuple[CellType, ...] | None = function.__closure__
        if cells:
            code = function.__code__
            kept = names(code).kept
            if kept:
                variables = zip(code.co_freevars, cells, strict=False)
                found.update(id(cell) for name, cell in variables if name in kept)
    return found


def _wrapped(value: Any, kind: type) -> list[FunctionType]:
    if kind is property:
        inner = [value.fget, value.fset, value.fdel]
    elif kind in _WRAPPERS:
        inner = [value.__func__, getattr(value.__func__, "__wrapped__", None)]
    else:
        inner = [getattr(value, "func", None), getattr(value, "__wrapped__", None)]
    return [function for function in inner if type(function) is FunctionType]


def _codes(functions: list[FunctionType]) -> list[CodeType]:
    return [function.__code__ for function in functions]
