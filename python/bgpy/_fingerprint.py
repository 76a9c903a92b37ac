"""Tells whether the functions that a script passes as tasks are those that a server runs.

The digests of `_code.content` say more, but need modules whose import takes as long as the start of
a server. This one serves a warning only.
"""

from __future__ import annotations

import sys
from _blake2 import blake2b
from types import CodeType, FunctionType, MethodType

from ._code.local import is_local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_SCALARS = (bool, int, float, complex, str, bytes, type(None), type(...))
# Attributes of a class that say where it stands, or that follow from the others.
_UNTOLD = {"__dict__", "__doc__", "__firstlineno__", "__module__", "__weakref__"}
_UNTOLD |= {"__static_attributes__", "__annotations_cache__", "__abstractmethods__", "_abc_impl"}


def fingerprint(tasks: Iterable[Any]) -> str:
    """Return a digest of functions and of what they use of their own module.

    The code counts, with defaults, constants and variables that are plain data, but not where it
    stands in its file. It is the same in each process of one version of Python.
    """
    told = blake2b(digest_size=16)
    seen: dict[int, int] = {}
    for part in _parts([sys.hexversion >> 16, *tasks], seen):
        told.update(b"%d:" % len(part))
        told.update(part)
    return told.hexdigest()


def _parts(objects: Iterable[Any], seen: dict[int, int]) -> Iterator[bytes]:
    for obj in objects:
        kind = type(obj)
        if isinstance(obj, _SCALARS):
            yield f"{kind.__name__} {obj!r}".encode(errors="surrogatepass")
            continue
        # What refers to itself is told once.
        if id(obj) in seen:
            yield b"again %d" % seen[id(obj)]
            continue
        seen[id(obj)] = len(seen)
        yield f"{kind.__module__}.{kind.__qualname__}".encode(errors="surrogatepass")
        yield from _parts(_inside(obj), seen)


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
        told = sorted(vars(obj).items())
        return [
            *named,
            *obj.__bases__,
            *(it for pair in told if pair[0] not in _UNTOLD for it in pair),
        ]
    if isinstance(obj, (staticmethod, classmethod, MethodType)):
        return [obj.__func__]
    if isinstance(obj, property):
        return [obj.fget, obj.fset]
    if isinstance(obj, dict):
        return [part for pair in obj.items() for part in pair]
    if isinstance(obj, (set, frozenset)):
        return sorted(obj, key=repr)
    if isinstance(obj, (tuple, list)):
        return obj
    wrapped = [getattr(obj, name, None) for name in ("__wrapped__", "func", "args", "keywords")]
    return [getattr(obj, "__module__", None), getattr(obj, "__qualname__", None), *wrapped]


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
        if isinstance(value, _SCALARS) or _is_own(value):
            yield name
            yield value


def _is_own(obj: Any) -> bool:
    """Return whether something is a function or class of a module that is not installed."""
    return isinstance(obj, (FunctionType, type)) and is_local(obj.__module__)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        # It has none yet.
        return ...
