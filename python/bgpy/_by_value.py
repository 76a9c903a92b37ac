"""Pickling that takes code along where the other side may lack it.

Functions and classes travel by value when they come from ``__main__`` or from a module that is
neither part of Python nor installed: a helper beside the script. Installed modules are taken to be
on both sides. What needs no code taken along is left to a pickler that knows of none, which is
faster, and spares most servers the import of all the rest.
"""

from __future__ import annotations

import copyreg
import functools
import io
import sys
from _pickle import PickleBuffer, Pickler, PicklingError

from ._code.local import is_local, module_of
from ._code.table import keys, modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any


def dumps(
    obj: Any, buffers_max: int, is_tasks: bool = False
) -> tuple[bytes, list[memoryview], bool]:
    """Pickle an object, with large buffers beside the pickle.

    Parameters
    ----------
    obj : object
        What to pickle.
    buffers_max : int
        How many buffers may stand beside the pickle; further ones go into it.
    is_tasks : bool, default False
        Whether it is the tasks of a server, which mean the code that they have here.

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
        # What cannot be done without code taken along may be with it; its errors are as good.
        return *_by_value(obj, buffers_max, is_tasks), True


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
    from enum import Enum

    module, name = cls.__module__, cls.__qualname__
    own: Any = cls.__reduce_ex__
    if own is not Enum.__reduce_ex__ or cls in copyreg.dispatch_table:
        return None
    if not (type(module) is type(name) is str) or is_local(module) or keys.get(cls) is not None:
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

    def __call__(self, buffer: PickleBuffer) -> bool:
        if len(self.views) == self.buffers_max:
            return True
        self.views.append(buffer.raw())
        return False


class _Shared(Pickler):
    """A pickler for objects whose code is on both sides."""

    def reducer_override(self, obj: Any) -> Any:
        """Refuse functions and classes that the other side may lack, and objects of those."""
        module = getattr(obj, "__module__", None)
        if type(module) is str and (is_local(module) or module in modules):
            raise PicklingError("the code has to go along")
        return _beside(obj)


def _beside(obj: Any) -> Any:
    """Reduce an object that does not know by itself how its memory stays out of a pickle."""
    if type(obj) is memoryview:
        return bytes, (PickleBuffer(obj) if obj.c_contiguous else obj.tobytes(),)
    if type(obj).__module__ == "torch.storage":
        from bgpy import _torch

        if type(obj) is _torch.Storage:
            return _torch.reduce(obj)
    return NotImplemented


class _WithCode(Pickler):
    """A pickler that takes code along."""

    def __init__(
        self,
        file: Any,
        buffers: Any,
        tasks: Collection[str] | None = None,
        *,
        by_name: bool = False,
        with_hints: bool = False,
        is_bare: bool = False,
    ) -> None:
        from ._code.define import Definitions

        super().__init__(file, protocol=5, buffer_callback=buffers)
        self.definitions = Definitions(tasks, by_name, with_hints, is_bare)

    def reducer_override(self, obj: Any) -> Any:
        reduced = _beside(obj)
        return self.definitions.reduce(obj) if reduced is NotImplemented else reduced


def _by_reference(obj: Any, buffers: _Buffers) -> tuple[bytes, list[memoryview]]:
    file = io.BytesIO()
    _Shared(file, protocol=5, buffer_callback=buffers).dump(obj)
    return file.getvalue(), buffers.views


def _by_value(obj: Any, buffers_max: int, is_tasks: bool) -> tuple[bytes, list[memoryview]]:
    tasks = _modules_of(obj) if is_tasks else None

    def dumped(**how: bool) -> tuple[bytes, list[memoryview]]:
        file, buffers = io.BytesIO(), _Buffers(buffers_max)
        _WithCode(file, buffers, tasks, **how).dump(obj)
        return file.getvalue(), buffers.views

    try:
        return dumped(with_hints=True)
    except Exception:
        # What only annotations name may be what cannot be taken along.
        try:
            return dumped()
        except Exception as error:
            # Nor may the class of a method, which the method need not use. And a module that cannot
            # be taken along, for a lock or a socket in it, may still be found by the other side
            # under its name, as by a server that was started from here.
            from contextlib import suppress

            for other in ("is_bare", "by_name"):
                with suppress(Exception):
                    return dumped(**{other: True})
            raise error from None


def _modules_of(tasks: tuple[Any, ...]) -> set[str]:
    """Return the modules that tasks are from, as far as they are the user's own."""
    found = set()
    for task in tasks:
        inner = getattr(task, "func", task) if type(task) is functools.partial else task
        module = module_of(getattr(inner, "__func__", inner))
        if module is not None and is_local(module):
            found.add(module)
    return found


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

    class Noting(_WithCode):
        def persistent_id(self, part: Any) -> None:
            visit(part)

    Noting(io.BytesIO(), lambda buffer: False).dump(obj)
