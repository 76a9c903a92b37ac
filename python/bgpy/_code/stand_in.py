"""Modules of tasks in the place of those that the process of a server would import.

What tasks pickle names the module that it is from, as their workers and pools do. That name has to
lead to the code of the tasks, in the server and in processes that are forked from it; those that
are spawned import the file. Only servers that a command has started give their modules away.
"""

from __future__ import annotations

import os
import sys

from . import table
from .local import MAIN, PACKAGE, Importing, placed, unwanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

# Whether the main module has taken the definitions of a client's script.
_has_main = False


def main_for(about: dict[str, Any]) -> ModuleType | None:
    """Return the main module, if the script of tasks may take its place.

    Where the file of the script is not, or does more than define when it is imported, processes
    that a task spawns would fail one by one.
    """
    global _has_main
    if not _is_free() or not _is_guarded(about.get("__file__", "")):
        return None
    main = sys.modules[MAIN]
    _has_main = True
    for name in [name for name in vars(main) if not name.startswith("__")]:
        # What is left of tasks that were not accepted, or of the start of the server.
        delattr(main, name)
    # Processes that are spawned go by the file.
    main.__spec__ = None
    vars(main)["__getattr__"] = _what_is_missing(MAIN, [])
    return main


def _is_guarded(file: str) -> bool:
    """Tell whether a script does what it does only where it is the main module."""
    try:
        with open(file, encoding="utf-8", errors="replace") as source:
            return any(line.startswith("if __name__") for line in source)
    except OSError:
        return False


def place(name: str, module: ModuleType) -> None:
    """Let others find a module of tasks under its name, unless there is one already.

    Where processes that a task spawns would not find it, they would fail one by one.
    """
    before = sys.modules.get(name)
    is_replaced = before is None or before in (placed.get(name), unwanted.get(name))
    if is_replaced and _is_free() and _find(name.partition(".")[0]) is not None:
        own = unwanted.pop(name, None)
        vars(module)["__getattr__"] = _what_is_missing(name, [] if own is None else [own])
        placed[name] = sys.modules[name] = module


def _is_free() -> bool:
    """Tell whether the main module of this process is none of the user's."""
    start = vars(sys.modules[MAIN]).get("main")
    file = getattr(getattr(start, "__code__", None), "co_filename", "")
    return _has_main or os.path.dirname(file) == PACKAGE


def _what_is_missing(name: str, imported: list[ModuleType]) -> Callable[[str], Any]:
    """Return what finds attributes of a module that tasks have not brought along."""

    def find(attribute: str) -> Any:
        found = table.latest_of(name, attribute)
        if found is not None:
            return found
        if attribute.startswith("__") or name == MAIN:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        return getattr(imported[0] if imported else _import(name, imported), attribute)

    return find


def _find(name: str, path: Sequence[str] | None = None) -> ModuleSpec | None:
    from importlib.machinery import PathFinder

    return PathFinder.find_spec(name, path)


def _import(name: str, imported: list[ModuleType]) -> ModuleType:
    """Run the file of a module beside the one that has its name."""
    from importlib.util import module_from_spec

    parent, _, _ = name.rpartition(".")
    spec = _find(name, __import__(parent, fromlist=["__path__"]).__path__ if parent else None)
    if spec is None or spec.loader is None:
        raise AttributeError(f"module {name!r} has only what came with the tasks, and no file here")
    module = module_from_spec(spec)
    # Before it is complete, as for any import: it may import itself in a circle.
    imported.append(module)
    try:
        with Importing(name):
            spec.loader.exec_module(module)
    except BaseException:
        imported.clear()
        raise
    return module
