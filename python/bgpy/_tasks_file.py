"""Imports a tasks file as a module that processes spawned by its tasks can import, too."""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from importlib.machinery import PathFinder, SourceFileLoader

from ._code.local import is_local, tasks_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def imported(file: str) -> ModuleType:
    """Import a tasks file, whose directory is on the search path.

    The module gets the name of the file if every process with the same search path finds this file
    under that name. Otherwise it gets a special name, and an entry of the search path tells spawned
    processes where it is.

    Parameters
    ----------
    file : str
        Absolute path of the file.
    """
    stem = os.path.splitext(os.path.basename(file))[0]
    if _is_found(stem, file):
        return importlib.import_module(stem)
    name = first = tasks_module(stem)
    for number in itertools.count(2):
        if getattr(sys.modules.get(name), "__file__", file) == file:
            break
        # The name is taken by another file, of a server that this process ran before.
        name = f"{first}_{number}"
    _put(_Directory(os.path.dirname(file), name, file))
    return importlib.import_module(name)


class _Directory(str):
    """The directory of a tasks file, as an entry of the search path that knows the module's name.

    When it is unpickled in another process, that process can import the module: `multiprocessing`
    sends each spawned process the search path before anything else.
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
            # Otherwise the workers of a pool would die one by one, and the pool would hang.
            raise FileNotFoundError(
                f"processes spawned by this server import the tasks file '{self.file}', which no "
                "longer exists: restore it, or restart the server"
            )
        return arrived, (str(self), self.module, self.file)


def arrived(directory: str, module: str, file: str) -> str:
    """Return the entry of the search path for a spawned process, and install its finder."""
    _use_finder()
    return _Directory(directory, module, file)


class _Finder:
    """Finds modules whose name an entry of the search path knows."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the spec of a module, or None."""
        for place in sys.path:
            if isinstance(place, _Directory) and place.module == name:
                loader = SourceFileLoader(name, place.file)
                return importlib.util.spec_from_file_location(name, place.file, loader=loader)
        return None


def _use_finder() -> None:
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)


def _put(directory: _Directory) -> None:
    """Put an entry on the search path, in place of the plain path of its directory."""
    _use_finder()
    for index, place in enumerate(sys.path):
        if place == directory and type(place) is str:
            sys.path[index] = directory
            return
    sys.path.append(directory)


def _is_found(name: str, file: str) -> bool:
    """Return whether a module's name leads to a file, whatever the order of the search path is."""
    if not name or "." in name:
        return False
    directory = os.path.dirname(file)
    try:
        found = importlib.util.find_spec(name)
        other = PathFinder.find_spec(name, [place for place in sys.path if place != directory])
    except Exception:
        # A module that has no spec, or whose finder raises, is another module.
        return False
    if found is None or not _is_of(found, file):
        return False
    # A namespace package has no origin, and is found only if no entry has the file.
    return other is None or other.origin is None or _is_of(other, file)


def _is_of(spec: ModuleSpec, file: str) -> bool:
    origin = spec.origin
    return isinstance(origin, str) and os.path.realpath(origin) == os.path.realpath(file)


def local_files(file: str | None, module: str | None) -> list[str]:
    """Return the file of the tasks, and those of all imported modules that are the user's own.

    Parameters
    ----------
    file, module : str, optional
        The file or module of the tasks, which is not among the imported modules if it has failed.
    """
    own = [sys.modules.get(name) for name in [*sys.modules] if is_local(name)]
    files = {getattr(it, "__file__", None) for it in own}
    if module is not None and module not in sys.modules:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            spec = None
        files.add(spec and spec.origin)
    return [os.path.abspath(path) for path in {*files, file} if isinstance(path, str)]
