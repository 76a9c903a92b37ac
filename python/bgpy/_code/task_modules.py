"""Puts the modules of tasks into `sys.modules` of the server's process.

Pickles that tasks and their worker pools make contain the names of modules. Those names must lead
to the code of the tasks, in the server and in processes forked from it; spawned processes import
the file. This happens only in processes that run nothing but a server.
"""

from __future__ import annotations

import os
import sys

from . import table
from .local import MAIN, PACKAGE, Importing, placed, unwanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import AST
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

# Whether the main module holds the definitions of a client's script.
_has_main = False


def main_for(about: dict[str, Any]) -> ModuleType | None:
    """Return the main module, if the script of the tasks may replace it; None otherwise."""
    # As everywhere here, from where importlib.machinery has it, which takes a while to import.
    from _frozen_importlib import ModuleSpec

    global _has_main
    if not _is_free():
        return None
    main = sys.modules[MAIN]
    _has_main = True
    for name in [name for name in vars(main) if not name.startswith("__")]:
        # Left over from tasks that failed to start, or from the start of the server.
        delattr(main, name)
    # Without a spec, spawned processes run the file.
    is_guarded = _is_guarded(about.get("__file__", ""))
    main.__spec__ = None if is_guarded else ModuleSpec("bgpy._unguarded", None)
    vars(main)["__getattr__"] = _what_is_missing(MAIN, [])
    return main


def _is_guarded(file: str) -> bool:
    """Return whether a script has a main guard."""
    try:
        with open(file, encoding="utf-8", errors="replace") as source:
            text = source.read()
    except OSError:
        return False
    if MAIN not in text:
        return False
    # Importing ast takes much longer than the rest.
    from _ast import PyCF_ONLY_AST

    try:
        tree = compile(text, file, "exec", PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return any(map(_compares, _nodes(tree)))


def _compares(node: AST) -> bool:
    """Return whether a node compares the name of the module with that of the main module."""
    from _ast import Compare, Match

    parts: list[AST] = []
    if isinstance(node, Compare):
        parts += node.left, *node.comparators
    elif isinstance(node, Match):
        parts.append(node.subject)
        for case in node.cases:
            parts += _nodes(case.pattern)
    found = [getattr(it, "id", None) for it in parts]
    # The name may be compared with a constant of the script.
    others = any(it not in (None, "__name__") for it in found)
    constants = [getattr(it, "value", None) for it in parts]
    return "__name__" in found and (others or MAIN in constants)


def _nodes(tree: AST) -> Iterator[AST]:
    """Yield the nodes of a tree, the outermost first."""
    from _ast import AST

    nodes = [tree]
    # It grows meanwhile.
    for node in nodes:
        yield node
        for name in node._fields:
            field = getattr(node, name, None)
            parts = field if isinstance(field, list) else (field,)
            nodes += (part for part in parts if isinstance(part, AST))


def place(name: str, module: ModuleType) -> None:
    """Put a module of tasks into `sys.modules`, unless its name is taken.

    Not if its file cannot be found: processes that a task spawns would fail one by one.
    """
    before = sys.modules.get(name)
    is_replaced = before is None or before in (placed.get(name), unwanted.get(name))
    if is_replaced and _is_free() and _find(name.partition(".")[0]) is not None:
        own = unwanted.pop(name, None)
        vars(module)["__getattr__"] = _what_is_missing(name, [] if own is None else [own])
        placed[name] = sys.modules[name] = module


def _is_free() -> bool:
    """Return whether the main module of this process is bgpy's, and not the user's."""
    start = vars(sys.modules[MAIN]).get("main")
    file = getattr(getattr(start, "__code__", None), "co_filename", "")
    return _has_main or os.path.dirname(file) == PACKAGE


def _what_is_missing(name: str, imported: list[ModuleType]) -> Callable[[str], Any]:
    """Return a `__getattr__` for attributes that the message with the tasks did not contain."""

    def find(attribute: str) -> Any:
        found = table.latest_of(name, attribute)
        if found is not None:
            return found
        if attribute.startswith("__") or name == MAIN:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        return getattr(imported[0] if imported else _import(name, imported), attribute)

    return find


def _find(name: str, path: Sequence[str] | None = None) -> ModuleSpec | None:
    from _frozen_importlib_external import PathFinder

    return PathFinder.find_spec(name, path)


def _import(name: str, imported: list[ModuleType]) -> ModuleType:
    """Import the file of a module whose name in `sys.modules` is taken by that of the tasks."""
    from importlib.util import module_from_spec

    parent, _, _ = name.rpartition(".")
    spec = _find(name, __import__(parent, fromlist=["__path__"]).__path__ if parent else None)
    if spec is None or spec.loader is None:
        raise AttributeError(
            f"module {name!r} has only what was sent with the tasks: its file is not found here"
        )
    module = module_from_spec(spec)
    # Before it is complete, as with any import, for circular imports.
    imported.append(module)
    try:
        with Importing(name):
            spec.loader.exec_module(module)
    except BaseException:
        imported.clear()
        raise
    return module
