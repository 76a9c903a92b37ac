"""Reduces classes for `define`: what they are created with, and what they get afterwards."""

from __future__ import annotations

from types import FunctionType, GetSetDescriptorType, MemberDescriptorType

from .constants import constant
from .kinds import REGISTERED
from .local import find, module_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Attributes that Python creates for each class, or that are passed when it is created.
_MADE = {
    "__dict__",
    "__weakref__",
    "__module__",
    "_abc_impl",
    "__annotations_cache__",
    "__slotnames__",
    REGISTERED,
    # All local variables of the function around the class, for annotations not resolved yet.
    "__pydantic_parent_namespace__",
}
_START = ("__doc__", "__slots__", "__orig_bases__")
_SLOTS = (MemberDescriptorType, GetSetDescriptorType)


def class_parts(cls: type) -> tuple[dict[str, Any], dict[str, Any], list[type]]:
    """Reduce a class.

    Parameters
    ----------
    cls : type
        The class.

    Returns
    -------
    tuple
        The attributes it must be created with, its other attributes, and the classes registered as
        its virtual subclasses.
    """
    attributes = {
        name: value
        for name, value in list(vars(cls).items())
        if name not in _MADE and not (isinstance(value, _SLOTS) and value.__objclass__ is cls)
    }
    start = {name: attributes.pop(name) for name in _START if name in attributes}
    start["__qualname__"] = cls.__qualname__
    # Bases may look at constants when a class is derived from them. Other metaclasses may object.
    if all(meta.__module__ in ("builtins", "abc") for meta in type.mro(type(cls))):
        for name in [name for name in attributes if not name.startswith("__")]:
            if constant(attributes[name]) is not None:
                start[name] = attributes.pop(name)
    return start, attributes, registered(cls)


def registered(cls: type) -> list[type]:
    """Return the classes that were registered with an abstract one."""
    if "_abc_impl" not in vars(cls):
        return []
    from _abc import _get_dump  # type: ignore[import-not-found]

    found = [ref() for ref in _get_dump(cls)[0]]
    return sorted((it for it in found if it is not None), key=lambda it: it.__qualname__)


def register(cls: Any, others: list[type]) -> None:
    """Register classes with an abstract one that has arrived, and let it keep them alive.

    It refers to them only weakly. Where they are from, something else holds them; here, they may be
    needed by later messages only.
    """
    for other in others:
        cls.register(other)
    if others:
        type.__setattr__(cls, REGISTERED, others)


def is_method(value: Any) -> bool:
    """Return whether an attribute of a class is a method or a property."""
    return type(value) in (FunctionType, classmethod, property, staticmethod)


def inner_functions(cls: type, attributes: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the functions that belong to a class, each with the attributes that lead to it."""
    for name, value in attributes.items():
        for path, inner in _inside((name,), value):
            holder = getattr(inner, "__qualname__", "").rpartition(".")[0]
            if holder == cls.__qualname__ or find(module_of(inner) or "", holder) is cls:
                yield path, inner


def _inside(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    kind = type(value)
    if kind is FunctionType:
        yield path, value
        return
    if kind in (staticmethod, classmethod):
        yield from _inside((*path, "__func__"), value.__func__)
    elif kind is property:
        for name in ("fget", "fset", "fdel"):
            yield from _inside((*path, name), getattr(value, name))
    elif kind.__module__ == "functools":
        if kind.__name__ == "_lru_cache_wrapper":
            yield path, value
            yield from _inside((*path, "__wrapped__"), value.__wrapped__)
        elif kind.__name__ in ("cached_property", "partialmethod", "singledispatchmethod"):
            yield from _inside((*path, "func"), value.func)


def member_parts(member: Any) -> tuple[str | None, Any, Any, tuple[Any, ...]]:
    """Reduce a member of an enumeration.

    Returns
    -------
    tuple
        Its name, or None; its value, if that is a constant; its data type, such as int, and the
        arguments that make an object of that type.
    """
    cls: Any = type(member)
    name = member._name_ if member._name_ in cls._member_map_ else None
    value = member._value_ if constant(member._value_) is not None else None
    base = cls._member_type_
    if base is object:
        return name, value, base, ()
    if hasattr(base, "__getnewargs__"):
        return name, value, base, tuple(base.__getnewargs__(member))
    if base in (list, dict):
        return name, value, base, (base(member),)
    if base.__reduce__ is object.__reduce__:
        # Its attributes are all that it has.
        return name, value, base, ()
    return name, value, base, tuple(base.__reduce__(member)[1])


def is_struct(cls: type) -> bool:
    """Return whether a class is one of msgspec."""
    return any(
        meta.__name__ == "StructMeta" and meta.__module__.startswith("msgspec")
        for meta in type.mro(type(cls))
    )


def struct_parts(cls: Any, start: dict[str, Any], attributes: dict[str, Any]) -> dict[str, Any]:
    """Reduce a class of msgspec, whose fields are fixed when it is created."""
    import msgspec

    annotations = attributes.pop("__annotations__", {})
    # The others are class variables.
    own = [name for name in annotations if name in cls.__struct_fields__]
    start.pop("__slots__", None)
    # msgspec reads the types only when it decodes, and they may refer to the class itself.
    start["__annotations__"] = dict.fromkeys(own, object)
    defaults = {}
    # Only the last fields have defaults.
    fields = cls.__struct_fields__[-len(cls.__struct_defaults__) :]
    for name, default in zip(fields, cls.__struct_defaults__, strict=False):
        if name in own and default is not msgspec.NODEFAULT:
            factory = struct_factory(default)
            defaults[name] = (False, default) if factory is None else (True, factory)
    options = struct_options(cls)
    if options.get("tag") is None:
        options.pop("tag_field", None)
    # inspect.signature would have to resolve all annotations.
    options["kw_only"] = bool(own) and set(own).isdisjoint(cls.__match_args__)
    encoded = zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)
    renamed = {name: other for name, other in encoded if other != name}
    if renamed:
        options["rename"] = renamed
    return {
        "start": start,
        "options": options,
        "defaults": defaults,
        "has_post_init": "__post_init__" in attributes,
    }


def struct_options(cls: Any) -> dict[str, Any]:
    """Return the options of a class of msgspec."""
    config = cls.__struct_config__
    return {name: getattr(config, name) for name in dir(config) if not name.startswith("_")}


def struct_factory(default: Any) -> Any:
    """Return the default factory of a field of msgspec, or None."""
    is_factory = type(default).__name__ == "Factory" and type(default).__module__.startswith("msgs")
    return default.factory if is_factory else None
