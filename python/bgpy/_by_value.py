"""Pickling that takes code along where the other side may lack it.

Functions and classes travel by value when they come from ``__main__`` or from a module that is
neither part of Python nor installed: a helper beside the script. Installed modules are taken to be
on both sides. What needs no code taken along is left to the standard pickler, which is faster, and
spares most servers the import of cloudpickle.
"""

from __future__ import annotations

import copyreg
import functools
import io
import os
import pickle
import sys
import threading
from collections import ChainMap
from enum import Enum
from types import CodeType, FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any, ClassVar

_INSTALLED = tuple(
    os.path.join(os.path.dirname(os.path.realpath(file)), "") for file in (os.__file__, __file__)
)
_SITES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

# cloudpickle keeps the modules to be pickled by value in one set for the whole process.
_lock = threading.Lock()
_local: dict[str, tuple[ModuleType, bool]] = {}


def dumps(obj: Any, buffers_max: int) -> tuple[bytes, list[memoryview], bool]:
    """Pickle an object, with large buffers beside the pickle.

    Parameters
    ----------
    obj : object
        What to pickle.
    buffers_max : int
        How many buffers may stand beside the pickle; further ones go into it.

    Returns
    -------
    tuple of bytes, list of memoryview and bool
        The pickle, of protocol 5; the buffers, one-dimensional and contiguous; and whether the
        pickle may hold code, which only the same version of Python can run.

    Raises
    ------
    Exception
        Whatever the object raises when it is pickled.
    """
    try:
        return *_by_reference(obj, _Buffers(buffers_max)), False
    except Exception:
        # What the standard pickler cannot do, cloudpickle may; its errors are as good.
        return *_by_value(obj, buffers_max), True


def enumeration(cls: type) -> tuple[str, str] | None:
    """Tell under which name the other side finds an enumeration.

    Parameters
    ----------
    cls : type
        A class derived from `enum.Enum`.

    Returns
    -------
    tuple of two str, or None
        Module and class, when pickle would name them and give the member's value; None when the
        class has to go along, or its members are pickled in a way of their own.
    """
    module, name = cls.__module__, cls.__qualname__
    own: Any = cls.__reduce_ex__
    if own is not Enum.__reduce_ex__ or cls in copyreg.dispatch_table:
        return None
    if not (type(module) is type(name) is str) or _is_local(module):
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return (module, name) if found is cls else None


class _Buffers:
    """Takes buffers out of a pickle, as long as there is room for them beside it."""

    def __init__(self, buffers_max: int) -> None:
        self.views: list[memoryview] = []
        self.buffers_max = buffers_max

    def __call__(self, buffer: pickle.PickleBuffer) -> bool:
        if len(self.views) == self.buffers_max:
            return True
        self.views.append(buffer.raw())
        return False


class _Shared(pickle.Pickler):
    """A pickler for objects whose code is on both sides."""

    def reducer_override(self, obj: Any) -> Any:
        """Refuse functions and classes that the other side may lack."""
        if isinstance(obj, (FunctionType, type)) and _is_local(obj.__module__):
            raise pickle.PicklingError("the code has to go along")
        return _beside(obj)


def _beside(obj: Any) -> Any:
    """Reduce an object that does not know by itself how its memory stays out of a pickle."""
    if type(obj) is memoryview:
        # cloudpickle makes bytes of it, too.
        return bytes, (pickle.PickleBuffer(obj) if obj.c_contiguous else obj.tobytes(),)
    if type(obj).__module__ == "torch.storage":
        from bgpy import _torch

        if type(obj) is _torch.Storage:
            return _torch.reduce(obj)
    return NotImplemented


def _by_reference(obj: Any, buffers: _Buffers) -> tuple[bytes, list[memoryview]]:
    file = io.BytesIO()
    _Shared(file, protocol=5, buffer_callback=buffers).dump(obj)
    return file.getvalue(), buffers.views


def _by_value(obj: Any, buffers_max: int) -> tuple[bytes, list[memoryview]]:
    modules = [module for name, module in list(sys.modules.items()) if _is_local(name)]
    try:
        return _cloudpickle(obj, _Buffers(buffers_max), modules)
    except Exception as error:
        # A module that cannot be taken along, for a lock or a socket in it, may still be found by
        # the other side under its name, as by a server that was started from here.
        try:
            return _cloudpickle(obj, _Buffers(buffers_max), [])
        except Exception:
            raise error from None


def _cloudpickle(
    obj: Any, buffers: _Buffers, by_value: list[ModuleType]
) -> tuple[bytes, list[memoryview]]:
    import cloudpickle

    file = io.BytesIO()
    pickler = _code_pickler()(file, protocol=5, buffer_callback=buffers)
    with _lock:
        known = cloudpickle.list_registry_pickle_by_value()
        mine = [m for m in by_value if m.__name__ != "__main__" and m.__name__ not in known]
        for module in mine:
            cloudpickle.register_pickle_by_value(module)
        try:
            pickler.dump(obj)
            return file.getvalue(), buffers.views
        finally:
            for module in mine:
                cloudpickle.unregister_pickle_by_value(module)


@functools.cache
def _code_pickler() -> Any:
    """Make the class of picklers that take code along."""
    import cloudpickle

    known = cloudpickle.CloudPickler.dispatch_table

    def reduce(code: CodeType) -> tuple[Any, ...]:
        # Recent cloudpickles hide the name of the file, without which a traceback has no lines.
        make, parts = known[CodeType](code)
        hidden = "<dynamic-code>"
        return make, tuple(
            code.co_filename if isinstance(part, str) and part == hidden else part for part in parts
        )

    class CodePickler(cloudpickle.CloudPickler):  # type: ignore[misc]
        dispatch_table: ClassVar = ChainMap({CodeType: reduce}, known)

        def reducer_override(self, obj: Any) -> Any:
            reduced = _beside(obj)
            return super().reducer_override(obj) if reduced is NotImplemented else reduced

    return CodePickler


class Noted(Exception):
    """Raised by who has noted enough."""


def note(obj: Any, visit: Callable[[Any], None]) -> None:
    """Pickle an object for nothing, as `dumps` would, and show each part when its turn comes.

    Parameters
    ----------
    obj : object
        What to pickle.
    visit : callable
        Takes each part, an object that was met before included.

    Raises
    ------
    Exception
        Whatever the object raises when it is pickled, or `visit`.
    """

    class Noting(_code_pickler()):  # type: ignore[misc]
        def persistent_id(self, part: Any) -> None:
            visit(part)

    Noting(io.BytesIO(), protocol=5, buffer_callback=lambda buffer: False).dump(obj)


def _is_local(name: str) -> bool:
    """Whether a module is the user's own, and not installed."""
    module = sys.modules.get(name)
    if module is None:
        return False
    known = _local.get(name)
    if known is None or known[0] is not module:
        known = _local[name] = (module, name == "__main__" or _is_beside(name, module))
    return known[1]


def _is_beside(name: str, module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    # Some packages put objects of other kinds or names into sys.modules.
    if not isinstance(file, str) or getattr(module, "__name__", None) != name:
        return False
    path = os.path.realpath(file)
    return not path.startswith(_INSTALLED) and not any(site in path for site in _SITES)
