"""Pickling that takes code along where the other side may lack it.

Functions and classes travel by value when they come from ``__main__`` or from a module that is
neither part of Python nor installed: a helper beside the script. Installed modules are taken to be
on both sides.
"""

from __future__ import annotations

import os
import pickle
import sys
import sysconfig
import threading
from contextlib import suppress
from types import ModuleType
from typing import Any

import cloudpickle

_PLACES = ("stdlib", "platstdlib", "purelib", "platlib")
_INSTALLED = tuple(
    os.path.join(os.path.realpath(place), "")
    for place in {*map(sysconfig.get_path, _PLACES), os.path.dirname(__file__)}
)

# cloudpickle keeps the modules to be pickled by value in one set for the whole process.
_lock = threading.Lock()
_local: dict[str, tuple[ModuleType, bool]] = {}


def dumps(obj: Any, buffers_max: int) -> tuple[bytes, list[memoryview]]:
    """Pickle an object, with large buffers beside the pickle.

    Parameters
    ----------
    obj : object
        What to pickle.
    buffers_max : int
        How many buffers may stand beside the pickle; further ones go into it.

    Returns
    -------
    tuple of bytes and list of memoryview
        The pickle, of protocol 5, and the buffers, one-dimensional and contiguous.

    Raises
    ------
    Exception
        Whatever the object raises when it is pickled.
    """
    try:
        return _dumps(obj, buffers_max, _local_modules())
    except Exception:
        # A module that cannot be taken along, for a lock or a socket in it, may still be found by
        # the other side under its name, as by a server that was started from here.
        with suppress(Exception):
            return _dumps(obj, buffers_max, [])
        raise


def _dumps(
    obj: Any, buffers_max: int, by_value: list[ModuleType]
) -> tuple[bytes, list[memoryview]]:
    buffers: list[memoryview] = []

    def beside(buffer: pickle.PickleBuffer) -> bool:
        if len(buffers) == buffers_max:
            return True
        buffers.append(buffer.raw())
        return False

    with _lock:
        mine = [
            m for m in by_value if m.__name__ not in cloudpickle.list_registry_pickle_by_value()
        ]
        for module in mine:
            cloudpickle.register_pickle_by_value(module)
        try:
            return cloudpickle.dumps(obj, protocol=5, buffer_callback=beside), buffers
        finally:
            for module in mine:
                cloudpickle.unregister_pickle_by_value(module)


def _local_modules() -> list[ModuleType]:
    modules = []
    for name, module in list(sys.modules.items()):
        known = _local.get(name)
        if known is None or known[0] is not module:
            known = _local[name] = (module, _is_local(name, module))
        if known[1]:
            modules.append(module)
    return modules


def _is_local(name: str, module: ModuleType) -> bool:
    if name == "__main__" or not isinstance(module, ModuleType) or module.__name__ != name:
        return False
    file = getattr(module, "__file__", None)
    return file is not None and not os.path.realpath(file).startswith(_INSTALLED)
