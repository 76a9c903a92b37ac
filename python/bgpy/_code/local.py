"""Which modules are the user's own, and lookups by name.

The other side may lack a module that is neither part of Python nor installed, such as a script, a
notebook, or a helper beside them. Such modules are called local.
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

# Modules of tasks that `task_modules` has put into sys.modules.
placed: dict[str, ModuleType] = {}
# Modules that were imported only to compare them with those of tasks, and differed.
unwanted: dict[str, ModuleType] = {}
# By thread, the module that it is importing because a message refers to it.
_imported_by: dict[int, str] = {}
_local: dict[str, tuple[ModuleType, bool]] = {}


def canonical(module: str) -> str:
    """Return the canonical name of a module: in a spawned worker, the script has two names."""
    return MAIN if module == _SPAWNED_MAIN else module


def module_of(obj: Any) -> str | None:
    """Return the name of the module that defines an object, by its own account, or None."""
    module = getattr(obj, "__module__", None)
    if type(module) is not str:
        return None
    return MAIN if module == _SPAWNED_MAIN else module


def name_of(obj: Any) -> str | None:
    """Return the qualified name of an object, or None."""
    name: Any = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", None)
    return name if type(name) is str else None


def is_local(name: str) -> bool:
    """Return whether a module is imported and is the user's own."""
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
    """Return whether a module was created by code, so that no other process can import it."""
    root = name.partition(".")[0]
    has_no_origin = type(module) is type(sys) and getattr(module, "__spec__", None) is None
    return has_no_origin and (root == name or is_local(root))


class Importing:
    """The context in which a module is imported because a message refers to it."""

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
    """Return what this thread is importing that must not start a server, or None.

    A server started by such an import would repeat the import, and start the next server.
    """
    module = _imported_by.get(get_ident())
    if module is not None:
        return f"module {module!r}, imported because a message refers to it"
    process = sys.modules.get("multiprocessing.process")
    if getattr(getattr(process, "_current_process", None), "_inheriting", False):
        return "the script, imported by a process of multiprocessing"
    return None


def find(module: str, name: str) -> Any:
    """Return what an imported module has under a name, or None; without a name, the module."""
    found: Any = sys.modules.get(module)
    parts = name.split(".") if name else []
    if parts and found is not None and (module == MAIN or placed.get(module) is found):
        # Without its `__getattr__`, which would import what it lacks.
        found = vars(found).get(parts.pop(0))
    for part in parts:
        if found is None:
            return None
        try:
            found = getattr(found, part, None)
        except Exception:
            # Modules and classes may compute attributes, which may raise.
            return None
    return found


def is_named(obj: Any) -> bool:
    """Return whether an object is what its module has under its name."""
    module, name = module_of(obj), name_of(obj)
    return module is not None and name is not None and find(module, name) is obj


def is_installed(obj: Any) -> bool:
    """Return whether an object is what an installed module has under its name."""
    return is_named(obj) and not is_local(module_of(obj) or "")


def name_in(module: str, obj: Any) -> str:
    """Return a name under which a module has an object, or else the name of the object."""
    name = name_of(obj) or ""
    if find(module, name) is obj:
        return name
    # A class or function that a function has created is identified by its variable.
    held: dict[str, Any] = getattr(sys.modules.get(module), "__dict__", {})
    for variable, value in list(held.items()):
        if value is obj:
            return variable
    return name


def library(namespace: dict[str, Any]) -> str | None:
    """Return the name of the installed module that has these globals, or None."""
    name = namespace.get("__name__")
    if type(name) is not str or is_local(name):
        return None
    return name if getattr(sys.modules.get(name), "__dict__", None) is namespace else None


def tasks_module(stem: str) -> str:
    """Return the name of a tasks file's module if the file's own name means another module."""
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
