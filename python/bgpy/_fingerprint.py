"""Tells whether the functions that a script passes as tasks are those that a server runs.

The digests of `_code.content` say more, but need modules whose import takes as long as the start of
a server. This one serves a warning only.
"""

from __future__ import annotations

import sys
from _blake2 import blake2b
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType

from ._code.local import is_local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_TEXTS = (str, bytes)
_PLAIN = (bool, int, float, complex, type(None), type(...))
# More than this is told of no tasks: some carry large data along.
_PARTS_MAX = 20_000
# Larger collections that a module holds are data rather than code.
_ITEMS_MAX = 1_000
_DEPTH_MAX = 8
# Attributes of a class that say where it stands, or that follow from the others.
_UNTOLD = {"__dict__", "__doc__", "__firstlineno__", "__module__", "__weakref__"}
_UNTOLD |= {"__static_attributes__", "__annotations_cache__", "__abstractmethods__", "_abc_impl"}


def fingerprint(tasks: Iterable[Any]) -> str:
    """Return a digest of functions and of what they use of their own module.

    The code counts, with defaults, constants and variables that are plain data, but not where it
    stands in its file. It is the same in each process of one version of Python.
    """
    told = blake2b(digest_size=16)
    for part in _parts([sys.hexversion >> 16, *tasks]):
        told.update(b"%d:" % len(part))
        told.update(part)
    return told.hexdigest()


def _parts(objects: list[Any]) -> Iterator[bytes]:
    # The objects are kept, so that no other one gets the same id meanwhile.
    seen: dict[int, tuple[int, Any]] = {}
    left = objects[::-1]
    for _ in range(_PARTS_MAX):
        if not left:
            return
        obj = left.pop()
        kind = type(obj)
        if kind in _TEXTS:
            yield kind.__name__.encode()
            yield obj if kind is bytes else obj.encode(errors="surrogatepass")
        elif kind in _PLAIN:
            yield (hex(obj) if kind is int else repr(obj)).encode()
        elif id(obj) in seen:
            # What refers to itself is told once.
            yield b"again %d" % seen[id(obj)][0]
        else:
            seen[id(obj)] = (len(seen), obj)
            inside = list(_inside(obj))
            left += inside[::-1]
            name = f"{kind.__module__}.{kind.__qualname__} {len(inside)}"
            yield name.encode(errors="surrogatepass")


def _inside(obj: Any) -> Iterable[Any]:
    """Return what an object consists of."""
    if isinstance(obj, FunctionType):
        cells = [_content(cell) for cell in obj.__closure__ or ()]
        return [obj.__code__, obj.__defaults__, obj.__kwdefaults__, *cells, *_variables(obj)]
    if isinstance(obj, CodeType):
        names = obj.co_names + obj.co_varnames + obj.co_freevars + obj.co_cellvars
        return [obj.co_code, obj.co_flags, *names, *obj.co_consts]
    if isinstance(obj, type):
        named = [obj.__module__, obj.__qualname__]
        if not _is_own(obj):
            return named
        told = sorted(name for name in vars(obj) if name not in _UNTOLD)
        return [
            *named,
            *obj.__bases__,
            *(part for name in told for part in (name, vars(obj)[name])),
        ]
    if isinstance(obj, MethodType):
        return [obj.__func__, obj.__self__]
    if isinstance(obj, (staticmethod, classmethod)):
        return [obj.__func__]
    if isinstance(obj, property):
        return [obj.fget, obj.fset]
    # Those of the user may run code of the user.
    if type(obj) is dict:
        return [part for pair in obj.items() for part in pair]
    if type(obj) in (set, frozenset):
        return sorted((it for it in obj if type(it) in (*_TEXTS, *_PLAIN)), key=repr)
    if type(obj) in (tuple, list):
        return list(obj)
    if (function := _wrapped(obj)) is not None:
        return [function, getattr(obj, "args", ()), getattr(obj, "keywords", {})]
    if isinstance(obj, BuiltinFunctionType):
        return [obj.__module__, obj.__qualname__]
    return [type(obj), *_state(obj)]


def _state(obj: Any) -> Iterator[Any]:
    """Yield the attributes of an instance of an own class, as far as their content counts."""
    try:
        # Without code of the user.
        state = object.__getattribute__(obj, "__dict__") if _is_own(type(obj)) else {}
    except AttributeError:
        return
    for name in sorted(state):
        if _counts(state[name]):
            yield name
            yield state[name]


def _variables(function: FunctionType) -> Iterator[Any]:
    """Yield the variables of its module that a function uses, as far as their content counts."""
    names = set(function.__code__.co_names)
    codes = [function.__code__]
    while codes:
        inner = [it for it in codes.pop().co_consts if isinstance(it, CodeType)]
        codes += inner
        names.update(name for code in inner for name in code.co_names)
    for name in sorted(names & function.__globals__.keys()):
        value = function.__globals__[name]
        if _counts(value):
            yield name
            yield value


def _counts(value: Any, depth: int = 0) -> bool:
    """Return whether a variable is part of the code: plain data, functions and classes.

    Connections, locks and the like may be others in each process.
    """
    if type(value) in (*_TEXTS, *_PLAIN):
        return True
    if type(value) in (tuple, list, set, frozenset, dict):
        items = (*value, *value.values()) if type(value) is dict else value
        return (
            depth < _DEPTH_MAX
            and len(value) <= _ITEMS_MAX
            and all(_counts(item, depth + 1) for item in items)
        )
    return _is_own(value) or _is_own(_wrapped(value))


def _wrapped(value: Any) -> Any:
    """Return the function in a `functools.lru_cache` or `functools.partial`."""
    name = type(value).__name__
    if type(value).__module__ != "functools":
        return None
    return value.__wrapped__ if name == "_lru_cache_wrapper" else getattr(value, "func", None)


def _is_own(obj: Any) -> bool:
    """Return whether something is a function or class of a module that is not installed."""
    return isinstance(obj, (FunctionType, type)) and is_local(obj.__module__)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        # It has none yet.
        return ...
