"""The methods of a class that arrives again, in whose place this process may have put others."""

from __future__ import annotations

from _weakref import ref
from types import FunctionType

from .assigned import functions_of
from .constants import constant, digest
from .encodings import instructions
from .kinds import WRAPPERS, inner, is_definition
from .local import name_of
from .node import framed, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

# Wrappers of `functools` that are attributes of classes.
_OF_FUNCTOOLS = {"_lru_cache_wrapper", "cached_property", "partialmethod", "singledispatchmethod"}


def is_method(value: Any) -> bool:
    """Return whether an attribute of a class is a function, or wraps one."""
    kind = type(value)
    if kind is FunctionType or kind in WRAPPERS:
        return True
    return kind.__module__ == "functools" and kind.__name__ in _OF_FUNCTOOLS


def told(method: Any, assigned: Collection[int]) -> bytes:
    """Return a digest of a method as its class defines it.

    Parameters
    ----------
    method : object
        The method.
    assigned : collection of int
        The ids of cells that code assigns to: their values are state.
    """
    found: list[bytes] = []
    known, queue = {id(method)}, [method]
    for part in queue:
        found.append(text(type(part).__name__))
        for value in _parts(part, assigned):
            encoded = constant(value)
            if encoded is not None:
                found.append(encoded)
            elif id(value) not in known:
                known.add(id(value))
                queue.append(value)
    return digest(framed(found)).digest()


def _parts(value: Any, assigned: Collection[int]) -> list[Any]:
    """Return what a method consists of. Data that code may change is not part of it."""
    kind = type(value)
    if kind is FunctionType:
        defaults, keywords = value.__defaults__ or (), value.__kwdefaults__ or {}
        return [
            instructions(value),
            *defaults,
            *keywords,
            *keywords.values(),
            *_cells(value, assigned),
        ]
    if kind is tuple:
        return list(value)
    if kind in WRAPPERS:
        return inner(value)
    if is_method(value):
        return _of_functools(value)
    return [name_of(value)] if is_definition(value) else []


def _cells(function: FunctionType, assigned: Collection[int]) -> list[Any]:
    """Return the values of the variables of enclosing functions.

    Classes are left out: one that is being built may not be in its place yet.
    """
    found = []
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:
            continue
        if id(cell) not in assigned and (is_method(value) or not is_definition(value)):
            found.append(value)
    return found


def _of_functools(value: Any) -> list[Any]:
    name = type(value).__name__
    if name == "_lru_cache_wrapper":
        return [value.__wrapped__, *value.cache_parameters().values()]
    if name == "partialmethod":
        return [value.func, *value.args, *value.keywords, *value.keywords.values()]
    if name == "singledispatchmethod":
        return [value.func, *value.dispatcher.registry.values()]
    return [value.func]


class Given:
    """An attribute as a class has got it from a message, without keeping it alive."""

    __slots__ = ("_functions", "_kind")

    def __init__(self, value: Any) -> None:
        self._kind = type(value)
        self._functions: list[Callable[[], Any]] = [ref(it) for it in functions_of(value)]

    def is_still(self, value: Any) -> bool:
        """Return whether an attribute is the one that was given, or consists of the same."""
        now = functions_of(value) if type(value) is self._kind else []
        return len(now) == len(self._functions) > 0 and all(
            it() is own for it, own in zip(self._functions, now, strict=True)
        )
