"""Instances that a class has among its attributes, such as a singleton in ``cls._instance``.

They are built while their class is incomplete, so its own ``__new__`` may look for what is not
there yet.
"""

from __future__ import annotations

import copyreg

from . import unfinished
from .kinds import HEAP_TYPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def instances(cls: type, attributes: dict[str, Any]) -> Iterator[Any]:
    """Yield the instances of a class among its attributes, and in containers among them."""
    for value in attributes.values():
        parts = [value]
        if type(value) is dict:
            parts += [*value.keys(), *value.values()]
        elif type(value) in (list, tuple, set, frozenset):
            parts += value
        yield from (it for it in parts if type(it) is cls)


def without_new(kind: Any, make: Any, arguments: tuple[Any, ...], *rest: Any) -> tuple[Any, ...]:
    """Change the reduction of an object so that its class need not be complete."""
    own_layout = all(base.__flags__ & HEAP_TYPE for base in kind.__mro__[:-1])
    if kind.__new__ is object.__new__ or not own_layout:
        return make, arguments, *rest
    if make is copyreg.__newobj__:  # type: ignore[attr-defined]
        return new, arguments, *rest
    return (_called, (kind, *arguments), *rest) if make is kind else (make, arguments, *rest)


def new(cls: Any, *arguments: Any) -> Any:
    """Make an instance that gets its state later."""
    return object.__new__(cls) if unfinished.is_unfinished(cls) else cls.__new__(cls, *arguments)


def _called(cls: Any, *arguments: Any) -> Any:
    """Make an instance by a call of its class."""
    if not unfinished.is_unfinished(cls):
        return cls(*arguments)
    made = object.__new__(cls)
    made.__init__(*arguments)
    return made
