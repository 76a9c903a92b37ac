"""Which modules are the user's own, and what is found under a name.

The other side may lack a module that is neither part of Python nor installed: a script, a notebook,
a helper beside them.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

MAIN = "__main__"
_SPAWNED_MAIN = "__mp_main__"
# Where bgpy itself is.
PACKAGE = os.path.dirname(os.path.dirname(__file__))
_INSTALLED = tuple(
    os.path.join(os.path.dirname(os.path.realpath(file)), "") for file in (os.__file__, PACKAGE)
)
_SITES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

# Modules of tasks in the place of those that this process could import.
placed: dict[str, ModuleType] = {}
# Modules that were imported to see whether they are those of tasks, and are not.
unwanted: dict[str, ModuleType] = {}
# The modules that threads are importing because something has arrived that is from there.
_imported_by: dict[int, str] = {}
_local: dict[str, tuple[ModuleType, bool]] = {}


def canonical(module: str) -> str:
    """Return the one name of a module: in a worker that was spawned the script has two."""
    return MAIN if module == _SPAWNED_MAIN else module


def module_of(obj: Any) -> str | None:
    """Return the name of the module that an object says it is from."""
    module = getattr(obj, "__module__", None)
    if type(module) is not str:
        return None
    return MAIN if module == _SPAWNED_MAIN else module


def name_of(obj: Any) -> str | None:
    """Return the name under which a module would have an object."""
    name: Any = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", None)
    return name if type(name) is str else None


def is_local(name: str) -> bool:
    """Tell whether a module is imported and the user's own."""
    module = sys.modules.get(name)
    if module is None:
        return False
    known = _local.get(name)
    if known is None or known[0] is not module:
        is_main = name in (MAIN, _SPAWNED_MAIN)
        known = _local[name] = (module, is_main or _is_beside(name, module))
    return known[1]


def _is_beside(name: str, module: ModuleType) -> bool:
    # Some packages put objects of other kinds or names into sys.modules.
    if getattr(module, "__name__", None) != name:
        return False
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return _is_made(name, module)
    path = os.path.realpath(file)
    return not path.startswith(_INSTALLED) and not any(site in path for site in _SITES)


def _is_made(name: str, module: ModuleType) -> bool:
    """Tell whether code has made a module, which no other process can import."""
    root = name.partition(".")[0]
    has_no_origin = type(module) is type(sys) and getattr(module, "__spec__", None) is None
    return has_no_origin and (root == name or is_local(root))


class Importing:
    """A context in which a module is imported because something has arrived that is from there."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __enter__(self) -> None:
        self._before = _imported_by.get(get_ident())
        _imported_by[get_ident()] = self._module

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            _imported_by.pop(get_ident(), None)
        else:
            _imported_by[get_ident()] = self._before


def importer() -> str | None:
    """Tell what is imported here that is to start nothing: each import would start one more."""
    module = _imported_by.get(get_ident())
    if module is not None:
        return f"module {module!r}, which a peer has named"
    process = sys.modules.get("multiprocessing.process")
    if getattr(getattr(process, "_current_process", None), "_inheriting", False):
        return "the script, which a process of multiprocessing imports"
    return None


def find(module: str, name: str) -> Any:
    """Return what an imported module has under a name, or None; without a name, the module."""
    found: Any = sys.modules.get(module)
    parts = name.split(".") if name else []
    if parts and found is not None and (module == MAIN or placed.get(module) is found):
        # What it would import for others is nothing that it has.
        found = vars(found).get(parts.pop(0))
    for part in parts:
        if found is None:
            return None
        try:
            found = getattr(found, part, None)
        except Exception:
            # A module or a class may make its attributes when they are asked for.
            return None
    return found


def is_named(obj: Any) -> bool:
    """Tell whether an object is what its module has under its name."""
    module, name = module_of(obj), name_of(obj)
    return module is not None and name is not None and find(module, name) is obj


def is_installed(obj: Any) -> bool:
    """Tell whether an object is what an installed module has under its name."""
    return is_named(obj) and not is_local(module_of(obj) or "")


def name_in(module: str, obj: Any) -> str:
    """Return a name under which a module has an object, else the name of the object."""
    name = name_of(obj) or ""
    if find(module, name) is obj:
        return name
    # What a function has made, a class for example, is known by the variable that holds it.
    held: dict[str, Any] = getattr(sys.modules.get(module), "__dict__", {})
    for variable, value in list(held.items()):
        if value is obj:
            return variable
    return name


def library(namespace: dict[str, Any]) -> str | None:
    """Return the name of the installed module whose globals these are, if they are any's."""
    name = namespace.get("__name__")
    if type(name) is not str or is_local(name):
        return None
    return name if getattr(sys.modules.get(name), "__dict__", None) is namespace else None


def tasks_module(stem: str) -> str:
    """Return the name that the module of a tasks file has when that of the file means another."""
    text = stem.encode("utf-8", "replace").decode()
    return f"bgpy_tasks_{text.replace('.', '_')}"


def script() -> str | None:
    """Return the name under which the script of this process could be imported."""
    main = sys.modules.get(MAIN)
    name = getattr(getattr(main, "__spec__", None), "name", None)
    if isinstance(name, str):
        return name.removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    return os.path.splitext(os.path.basename(file))[0] if isinstance(file, str) else None
