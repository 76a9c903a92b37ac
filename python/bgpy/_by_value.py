"""Pickling, with functions and classes by value where the receiver may lack them.

Functions and classes are pickled by value if they come from ``__main__``, or from a module that is
neither part of Python nor installed, such as a helper beside the script. Installed modules are
assumed to be on both sides. An object that needs no code is pickled by a plain pickler, which is
faster, and saves most servers from importing the rest.
"""

from __future__ import annotations

import copyreg
import functools
import io
import sys
from _pickle import PickleBuffer, Pickler, PicklingError

from ._bgpy import import_module
from ._code.local import is_local, module_of
from ._code.table import keys, modules
from ._signal_handlers import has_raised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

_ATTEMPTS_MAX = 5


def dumps(
    obj: Any, buffers_max: int, is_tasks: bool = False
) -> tuple[bytes, list[memoryview], bool]:
    """Pickle an object, with its large buffers out of band.

    Parameters
    ----------
    obj : object
        The object to pickle.
    buffers_max : int
        Maximum number of out-of-band buffers; further ones go into the pickle.
    is_tasks : bool, default False
        Whether the object is the tasks or the class of a server, which must run with the code of
        this process.

    Returns
    -------
    tuple of bytes, list of memoryview and bool
        The pickle, of protocol 5; the buffers, one-dimensional and contiguous; and whether the
        pickle may contain bytecode, which only the same version of Python can run.

    Raises
    ------
    Exception
        Any exception that pickling the object raises.
    """
    try:
        return *_by_reference(obj, _Buffers(buffers_max)), False
    except _NeedsCode:
        pass
    except Exception as error:
        if has_raised(error):
            raise
        # Pickled by value, it may succeed; otherwise that error is as good as this one.
    return *_by_value(obj, buffers_max, is_tasks), True


def enumeration(cls: type) -> tuple[str, str] | None:
    """Return the name under which the receiver can import an enumeration.

    Parameters
    ----------
    cls : type
        A class derived from `enum.Enum`.

    Returns
    -------
    tuple of two str, or None
        Module and qualified name, if pickle would reduce members to them and a value; None if the
        class must be pickled by value, or customises how its members are pickled.
    """
    import enum

    module, name = cls.__module__, cls.__qualname__
    own: Any = cls.__reduce_ex__
    # Until Python 3.11.3, flags and what is global have others, which lead to the same members.
    usual = (
        enum.Enum.__reduce_ex__,
        enum.Flag.__reduce_ex__,
        getattr(enum, "_reduce_ex_by_global_name", None),
    )
    if own not in usual or cls in copyreg.dispatch_table:
        return None
    if not (type(module) is type(name) is str) or is_local(module) or keys.get(cls) is not None:
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return (module, name) if found is cls else None


class _Buffers:
    """Collects out-of-band buffers, up to a maximum."""

    def __init__(self, buffers_max: int) -> None:
        self.views: list[memoryview] = []
        self.buffers_max = buffers_max

    def __call__(self, buffer: PickleBuffer) -> bool:
        if len(self.views) == self.buffers_max:
            return True
        self.views.append(buffer.raw())
        return False


class _NeedsCode(PicklingError):
    """Functions or classes must be pickled by value."""


class _ByReference(Pickler):
    """A pickler for objects that need no code by value."""

    def reducer_override(self, obj: Any) -> Any:
        """Refuse functions and classes that the receiver may lack, and their instances."""
        module = getattr(obj, "__module__", None)
        if type(module) is str and (is_local(module) or module in modules):
            raise _NeedsCode
        return _special(obj)


def _special(obj: Any) -> Any:
    """Reduce an object whose buffers or identity pickle would not keep."""
    if type(obj) is object:
        return import_module("bgpy._code.sentinels").reduce(obj)
    if type(obj) is memoryview:
        return bytes, (PickleBuffer(obj) if obj.c_contiguous else obj.tobytes(),)
    if type(obj).__module__ == "torch.storage":
        _torch = import_module("bgpy._torch")
        if type(obj) is _torch.Storage:
            return _torch.reduce(obj)
    return NotImplemented


class _ByValue(Pickler):
    """A pickler that pickles functions and classes by value where the receiver may lack them."""

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
        define = import_module("bgpy._code.define")
        super().__init__(file, protocol=5, buffer_callback=buffers)
        self.definitions = define.Definitions(tasks, by_name, with_hints, is_bare)

    def reducer_override(self, obj: Any) -> Any:
        reduced = _special(obj)
        return self.definitions.reduce(obj) if reduced is NotImplemented else reduced


def _by_reference(obj: Any, buffers: _Buffers) -> tuple[bytes, list[memoryview]]:
    file = io.BytesIO()
    _ByReference(file, protocol=5, buffer_callback=buffers).dump(obj)
    return file.getvalue(), buffers.views


def _by_value(obj: Any, buffers_max: int, is_tasks: bool) -> tuple[bytes, list[memoryview]]:
    # A service is one callable.
    tasks = _modules_of(obj if type(obj) is tuple else (obj,)) if is_tasks else None

    def dumped(**how: bool) -> tuple[bytes, list[memoryview]]:
        # Again if a function that assigns to a variable came after one that reads it, or if another
        # thread has changed what was pickled.
        for _ in range(_ATTEMPTS_MAX):
            file, buffers = io.BytesIO(), _Buffers(buffers_max)
            pickler = _ByValue(file, buffers, tasks, **how)
            pickler.dump(obj)
            if not (pickler.definitions.is_outdated or pickler.definitions.has_changed()):
                break
        return file.getvalue(), buffers.views

    try:
        return dumped(with_hints=True)
    except Exception as error:
        if has_raised(error):
            raise
        # The object that cannot be pickled may be used only by annotations.
        try:
            return dumped()
        except Exception as error:
            # Or it may belong to the class of a method, which the method need not use. And a module
            # that cannot be pickled, because of a lock or a socket in it, may be one that the
            # receiver can import, such as a server that was started from here.
            for other in ("is_bare", "by_name"):
                if has_raised(error):
                    break
                try:
                    return dumped(**{other: True})
                except Exception as last:
                    error = last if has_raised(last) else error
            raise error from None


def _modules_of(tasks: tuple[Any, ...]) -> set[str]:
    """Return the user's own modules among those that define the tasks."""
    found = set()
    for task in tasks:
        inner = getattr(task, "func", task) if type(task) is functools.partial else task
        module = module_of(getattr(inner, "__func__", inner))
        if module is not None and is_local(module):
            found.add(module)
    return found


class StopVisiting(Exception):
    """Raised by a visitor to end `visit_parts`."""


def visit_parts(obj: Any, visit: Callable[[Any], None]) -> None:
    """Pickle an object as `dumps` does, discard the pickle, and call `visit` with each part.

    Parameters
    ----------
    obj : object
        The object to pickle.
    visit : callable
        Called with each part before it is pickled, even if it was pickled before.

    Raises
    ------
    Exception
        Any exception that pickling the object, or `visit`, raises.
    """

    class Visiting(_ByValue):
        def persistent_id(self, part: Any) -> None:
            visit(part)

    Visiting(io.BytesIO(), lambda buffer: False).dump(obj)
