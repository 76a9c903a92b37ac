"""Kinds of objects, as far as digests tell them apart."""

from __future__ import annotations

from types import FunctionType, MethodType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What a class has anew in each process, or what follows from the rest.
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
    # That of a dataclass shows its defaults, with their addresses.
    "__doc__",
}
# What an enumeration holds of its members.
OF_MEMBERS = {"_member_map_", "_value2member_map_"}
# What importing a module puts into it, and what Python keeps there of warnings.
IMPORTED = {
    "__builtins__",
    "__cached__",
    "__doc__",
    "__file__",
    "__loader__",
    "__spec__",
    "__warningregistry__",
}
# Types that are not of this kind are built in.
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
    """Tell whether an object is code that has a name, and not an object that has state."""
    if isinstance(obj, (FunctionType, type)) or type(obj) is ModuleType:
        return True
    kind = type(obj)
    return (kind.__module__, kind.__name__) in _NAMED_KINDS


def is_function(obj: Any) -> bool:
    """Tell whether a definition is a function, with a cache or without."""
    return isinstance(obj, FunctionType) or type(obj).__name__ == "_lru_cache_wrapper"


def is_told(name: str) -> bool:
    """Tell whether an attribute of a class makes a difference."""
    if name.startswith("__pydantic_"):
        # What follows from the fields has addresses in it.
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
