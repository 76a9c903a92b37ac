"""Kinds of objects that digests distinguish."""

from __future__ import annotations

from types import FunctionType, MethodType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The attribute of an abstract class that keeps the classes that have arrived with it.
REGISTERED = "__bgpy_registered__"
# Attributes of a class that differ between processes, or that follow from the others.
_UNTOLD = {
    "__module__",
    "__dict__",
    "__weakref__",
    "__abstractmethods__",
    "_abc_impl",
    "__firstlineno__",
    "__static_attributes__",
    "__annotations_cache__",
    "__slotnames__",
    REGISTERED,
    # That of a dataclass shows its defaults, with their addresses.
    "__doc__",
}
# Attributes in which an enumeration lists its members.
OF_MEMBERS = {"_member_map_", "_value2member_map_"}
# Variables that the import system and `warnings` set in a module.
IMPORTED = {
    "__builtins__",
    "__cached__",
    "__doc__",
    "__file__",
    "__loader__",
    "__spec__",
    "__warningregistry__",
}
# The flag Py_TPFLAGS_HEAPTYPE: types without it are built in.
HEAP_TYPE = 1 << 9
WRAPPERS = (staticmethod, classmethod, property, MethodType)
_NAMED_KINDS = {
    ("functools", "_lru_cache_wrapper"),
    ("typing", "NewType"),
    ("typing", "TypeVar"),
    ("typing", "ParamSpec"),
    ("typing", "TypeVarTuple"),
    ("typing", "TypeAliasType"),
}


def is_definition(obj: Any) -> bool:
    """Return whether an object is a definition: named code, and not an object with state."""
    if isinstance(obj, (FunctionType, type)) or type(obj) is ModuleType:
        return True
    kind = type(obj)
    return (kind.__module__, kind.__name__) in _NAMED_KINDS


def is_function(obj: Any) -> bool:
    """Return whether a definition is a function, with a cache or without."""
    return isinstance(obj, FunctionType) or type(obj).__name__ == "_lru_cache_wrapper"


def is_told(name: str) -> bool:
    """Return whether an attribute of a class is part of its content."""
    if name.startswith("__pydantic_"):
        # The others follow from the fields, and contain addresses.
        return name == "__pydantic_fields__"
    return name not in _UNTOLD


def hints(function: FunctionType) -> Any:
    """Return the annotations of a function, or the function that computes them, if it has any."""
    if hasattr(function, "__annotate__"):
        return function.__annotate__
    return function.__annotations__ or None


def inner(wrapper: Any) -> list[Any]:
    """Return what a property, a method or the like consists of."""
    found = [getattr(wrapper, name, None) for name in ("fget", "fset", "fdel", "__func__")]
    if type(wrapper) is MethodType:
        found.append(wrapper.__self__)
    return found
