"""Reduces objects that pickle cannot: code, cells, weak containers and the like."""

from __future__ import annotations

import sys
from types import CellType, CodeType, MappingProxyType

from .._bgpy import import_module
from . import build, holders, shared
from .codes import kept_by_code
from .constants import MARKS
from .local import is_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Types that only cloudpickle can reduce.
_EXOTIC = {
    "TextIOWrapper",
    "dict_items",
    "dict_keys",
    "dict_values",
    "odict_items",
    "odict_keys",
    "odict_values",
}


def piece(obj: Any, kind: type) -> Any:
    """Reduce an object of the standard library that pickle cannot reduce; None for others."""
    name, module = kind.__name__, kind.__module__
    if module == "dataclasses":
        return _of_dataclasses(obj) if name in MARKS else None
    if module == "weakref" and name in ("WeakKeyDictionary", "WeakValueDictionary"):
        return kind, (dict(obj.items()),)
    if module == "_weakrefset":
        return kind, (list(obj),)
    if _is_cached_property(kind) and "lock" in vars(obj):
        # Before Python 3.12 it holds a lock, which cannot be pickled.
        return build.locked, (kind,), {k: v for k, v in vars(obj).items() if k != "lock"}
    if name in _EXOTIC and module in ("builtins", "collections", "_io"):
        # Here, because it takes the thread of its import for the main thread.
        import threading  # noqa: F401

        return import_module("cloudpickle").CloudPickler.dispatch_table[kind](obj)
    return None


_built_in: dict[type, Any] = {}


def built_in(cls: type) -> Any:
    """Reduce a built-in type, which may not be importable under its own name."""
    known = _built_in.get(cls)
    if known is None:
        known = _built_in[cls] = NotImplemented if is_named(cls) else _of_types(cls)
    return known


def _of_types(cls: type) -> Any:
    import types

    for name, found in vars(types).items():
        if found is cls:
            return getattr, (types, name)
    return NotImplemented


@kept_by_code
def _code(code: CodeType) -> Any:
    parts = (
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_nlocals,
        code.co_stacksize,
        code.co_flags,
        code.co_code,
        code.co_consts,
        code.co_names,
        code.co_varnames,
        code.co_filename,
        code.co_name,
        code.co_qualname,
        code.co_firstlineno,
        code.co_linetable,
        code.co_exceptiontable,
        code.co_freevars,
        code.co_cellvars,
    )
    return build.code, (tuple(sys.version_info[:2]), *parts)


def _cell(cell: CellType) -> Any:
    contents = shared.contents_of(cell)
    return build.cell, (holders.origin_of_cell(cell),), contents, None, None, shared.fill_cell


def _property(obj: property) -> Any:
    return property, (obj.fget, obj.fset, obj.fdel, obj.__doc__)


def _wrapper(obj: Any) -> Any:
    return type(obj), (obj.__func__,)


def _proxy(obj: Any) -> Any:
    # The dict behind it, so that others that share the dict still do.
    import gc

    return MappingProxyType, (gc.get_referents(obj)[0],)


PIECES: dict[type, Any] = {
    CellType: _cell,
    CodeType: _code,
    MappingProxyType: _proxy,
    classmethod: _wrapper,
    property: _property,
    staticmethod: _wrapper,
}


def _of_dataclasses(obj: Any) -> Any:
    """Reduce a sentinel of dataclasses, such as MISSING."""
    import dataclasses

    for name, found in vars(dataclasses).items():
        if found is obj:
            return getattr, (dataclasses, name)
    return None


def _is_cached_property(kind: type) -> bool:
    from functools import cached_property

    return issubclass(kind, cached_property)
