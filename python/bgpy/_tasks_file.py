"""The module of a tasks file: its name here, and how processes that its tasks spawn find it."""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from importlib.machinery import PathFinder, SourceFileLoader

from ._code.local import tasks_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def imported(file: str) -> ModuleType:
    """Import a tasks file, whose directory is on the search path.

    Its module has the name of the file, if that means this file to everybody who has the same
    search path; otherwise it has a name of its own, and the search path tells spawned processes
    where it is.

    Parameters
    ----------
    file : str
        The absolute path of the file.
    """
    stem = os.path.splitext(os.path.basename(file))[0]
    if _is_found(stem, file):
        return importlib.import_module(stem)
    name = first = tasks_module(stem)
    for number in itertools.count(2):
        if getattr(sys.modules.get(name), "__file__", file) == file:
            break
        # This process has run another server, with another file of that name.
        name = f"{first}_{number}"
    _put(_Directory(os.path.dirname(file), name, file))
    return importlib.import_module(name)


class _Directory(str):
    """The directory of a tasks file, as an entry of the search path that knows the module's name.

    Pickled, it makes the module known to the process where it arrives: `multiprocessing` and those
    that build on it give each spawned process the search path before anything else.
    """

    __slots__ = ("file", "module")
    file: str
    module: str

    def __new__(cls, directory: str, module: str, file: str) -> _Directory:
        new = super().__new__(cls, directory)
        new.module, new.file = module, file
        return new

    def __reduce__(self) -> Any:
        if not os.path.isfile(self.file):
            # Workers that cannot import their tasks end one by one, and a pool waits for ever.
            raise FileNotFoundError(
                f"processes that are spawned here import the tasks file '{self.file}', which is "
                "gone: put it back, or restart the server"
            )
        return arrived, (str(self), self.module, self.file)


def arrived(directory: str, module: str, file: str) -> str:
    """Return an entry of the search path of a process that was spawned, and make use of it."""
    _use_finder()
    return _Directory(directory, module, file)


class _Finder:
    """Finds the modules that entries of the search path name."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return where a module is loaded from, or None."""
        for place in sys.path:
            if isinstance(place, _Directory) and place.module == name:
                loader = SourceFileLoader(name, place.file)
                return importlib.util.spec_from_file_location(name, place.file, loader=loader)
        return None


def _use_finder() -> None:
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)


def _put(directory: _Directory) -> None:
    """Put an entry on the search path, where the directory already is."""
    _use_finder()
    for index, place in enumerate(sys.path):
        if place == directory and type(place) is str:
            sys.path[index] = directory
            return
    sys.path.append(directory)


def _is_found(name: str, file: str) -> bool:
    """Tell whether the name of a module means a file, in whatever order the places are searched."""
    if not name or "." in name:
        return False
    directory = os.path.dirname(file)
    try:
        found = importlib.util.find_spec(name)
        other = PathFinder.find_spec(name, [place for place in sys.path if place != directory])
    except Exception:
        # A module without a spec, or one whose search raises, is not this one.
        return False
    if found is None or not _is_of(found, file):
        return False
    # A directory without `__init__.py` gives way to a file wherever that is.
    return other is None or other.origin is None or _is_of(other, file)


def _is_of(spec: ModuleSpec, file: str) -> bool:
    origin = spec.origin
    return isinstance(origin, str) and os.path.realpath(origin) == os.path.realpath(file)
