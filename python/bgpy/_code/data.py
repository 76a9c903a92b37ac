"""The contents of data objects, for the digest of a definition that uses them."""

from __future__ import annotations

import itertools
import marshal
from _pickle import Pickler
from collections import OrderedDict, deque
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    MappingProxyType,
    MethodDescriptorType,
    MethodWrapperType,
    SimpleNamespace,
    WrapperDescriptorType,
)

from . import table
from .constants import constant, digest
from .kinds import HEAP_TYPE, is_definition
from .local import is_installed
from .weak import WeakTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SEQUENCES = (list, tuple, deque)
_MAPPINGS = (dict, OrderedDict, MappingProxyType)
_CONTAINERS = (*_SEQUENCES, *_MAPPINGS, set, frozenset, bytearray)
# Packages whose objects describe the fields of a class.
_DESCRIBING = ("annotated_types", "attr", "dataclasses", "msgspec", "pydantic")
# Number of items that are inspected of a larger container, unless it is all plain data.
_ITEMS_MAX = 256
_MARSHAL_VERSION = 2
_COUNTERS = (itertools.count, itertools.repeat)
_PICKLE_BYTES_MAX = 1 << 20
# What has arrived as a whole is digested as a whole: it takes about as long as unpickling it.
_ARRIVED_BYTES_MAX = 1 << 30
# Built-in functions and methods, some bound to an object.
_CALLABLES = (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    MethodDescriptorType,
    MethodWrapperType,
    WrapperDescriptorType,
)
# Objects of these modules are immutable, or shared by everyone who asks for them, like loggers.
_UNCHANGING = ("functools", "logging", "operator", "types", "typing")
# Stands for anything that was not or cannot be inspected: it may differ.
UNKNOWN = b"\0unknown\0"

# How to get the value of an instance of a subclass of these.
_VALUES: dict[type, Any] = {
    int: int.__int__,
    float: float.__float__,
    str: str.__str__,
    bytes: bytes.__bytes__,
}

# The slots of classes, which are fixed when a class is made.
_slots = WeakTable()


def held(obj: Any, is_own: bool) -> tuple[list[bytes], list[Any]]:
    """Return the contents of a mutable object.

    Parameters
    ----------
    obj : object
        Neither a constant nor a definition.
    is_own : bool
        Whether its class is the user's own.

    Returns
    -------
    tuple of list of bytes and list
        Encodings of what belongs to the object itself, and the objects in it, in an order that is
        the same in every process. Both are empty for an object of an unknown kind.
    """
    kind = type(obj)
    told: list[bytes] = []
    inside: list[Any] = []
    if isinstance(obj, _CONTAINERS):
        told.append(b"%d" % len(obj))
    plain = _plain(obj)
    if plain is not None:
        told.append(plain)
    elif isinstance(obj, _SEQUENCES):
        told.append(b"%r" % getattr(obj, "maxlen", None))
        inside += itertools.islice(obj, _ITEMS_MAX)
        told += _more_than(_ITEMS_MAX, len(obj))
    elif isinstance(obj, _MAPPINGS):
        for key, value in list(itertools.islice(obj.items(), _ITEMS_MAX)):
            inside += key, value
        told += _more_than(_ITEMS_MAX, len(obj))
        inside.append(getattr(obj, "default_factory", None))
    elif isinstance(obj, (set, frozenset)):
        told += _set(obj)
    elif kind is bytearray:
        told.append(bytes(obj))
    if is_own or kind is SimpleNamespace or _root(kind) in _DESCRIBING:
        for name, value in sorted(attributes(obj).items()):
            if type(value) is MappingProxyType and not value:
                # Each field of a dataclass has one.
                told.append(name.encode() + b" empty")
                continue
            told.append(name.encode("utf-8", "surrogatepass"))
            inside.append(value)
    elif not isinstance(obj, _CONTAINERS):
        told.append(_pickled(obj))
        return told, inside
    if not isinstance(obj, _CONTAINERS):
        told.append(_value(obj))
    return told, inside


def _value(obj: Any) -> bytes:
    """Return the encoding of an object's built-in base, such as the number of a subclass of int."""
    base = next(cls for cls in type(obj).__mro__ if not cls.__flags__ & HEAP_TYPE)
    if base is object or base is SimpleNamespace:
        return b""
    told = _VALUES[base](obj) if base in _VALUES else None
    return UNKNOWN if told is None else constant(told) or UNKNOWN


def _plain(obj: Any) -> bytes | None:
    """Return the encoding of a large container of plain data; None for any other object."""
    if type(obj) not in (list, dict) or len(obj) <= _ITEMS_MAX:
        return None
    try:
        # In this version of the format, the identity of parts makes no difference.
        return marshal.dumps(obj, _MARSHAL_VERSION)
    except ValueError:
        return None


def is_plain(obj: Any) -> bool:
    """Return whether an object is a container, or describes the fields of a class."""
    return isinstance(obj, _CONTAINERS) or _root(type(obj)) in _DESCRIBING


def may_change(obj: Any, changes: bool) -> bool:
    """Return whether the value of a variable is data that code may change.

    Parameters
    ----------
    obj : object
        The value.
    changes : bool
        Whether there is code that changes containers.
    """
    if is_definition(obj) or constant(obj) is not None:
        return False
    kind = type(obj)
    if kind in _CALLABLES:
        holder = getattr(obj, "__self__", None)
        return not (holder is None or is_definition(holder) or kind is MethodWrapperType)
    if kind.__module__ in _UNCHANGING or isinstance(vars(kind).get("_member_map_"), dict):
        return False
    return changes or not may_be_shared(obj)


def may_be_shared(obj: Any) -> bool:
    """Return whether the value of a variable is inspected as a whole, if no code changes it."""
    if isinstance(obj, _CONTAINERS):
        return len(obj) <= _ITEMS_MAX
    return is_plain(obj) or is_definition(obj) or constant(obj) is not None


def describes(kind: type) -> bool:
    """Return whether objects of a class describe the fields of another, and are no containers."""
    return _root(kind) in _DESCRIBING and not issubclass(kind, _CONTAINERS)


def _root(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _set(items: set[Any] | frozenset[Any]) -> list[bytes]:
    if len(items) > _ITEMS_MAX:
        try:
            return [marshal.dumps(sorted(items), _MARSHAL_VERSION)]
        except (TypeError, ValueError):
            return [UNKNOWN]
    # Without a defined order, only constants can be encoded.
    return sorted(constant(item) or UNKNOWN for item in items)


def _more_than(items_max: int, items: int) -> list[bytes]:
    return [UNKNOWN] if items > items_max else []


class _Digest:
    """Digests a pickle while it is written, up to a maximum size."""

    def __init__(self, bytes_max: int) -> None:
        self.digest = digest()
        self.left = bytes_max

    def write(self, data: Any) -> None:
        self.left -= len(memoryview(data).cast("B"))
        if self.left < 0:
            raise OverflowError
        self.digest.update(data)


class _Pickler(Pickler):
    """Pickles objects without code, since a pickle contains only the names of definitions."""

    def persistent_id(self, obj: Any) -> None:
        """Raise at a definition that is not part of an installed module."""
        if is_definition(obj) and not is_installed(obj):
            raise ValueError


def _pickled(obj: Any) -> bytes:
    """Return the digest of an object's pickle, or UNKNOWN if it cannot be pickled."""
    if type(obj).__module__ == "itertools":
        # Pickling them is deprecated, and Python warns.
        return repr(obj).encode() if type(obj) in _COUNTERS else UNKNOWN
    told = _Digest(_PICKLE_BYTES_MAX)
    try:
        _Pickler(told, protocol=5, buffer_callback=lambda it: told.write(it.raw())).dump(obj)
    except Exception:
        return UNKNOWN
    return told.digest.digest()


class _ArrivedPickler(Pickler):
    """Pickles objects with definitions, which are known by their origins."""

    def persistent_id(self, obj: Any) -> bytes | None:
        """Return the origin of a definition that is not part of an installed module."""
        return table.origin(obj) if is_definition(obj) and not is_installed(obj) else None


def arrived(obj: Any) -> bytes | None:
    """Return the digest of the pickle of an object that has arrived; None if it cannot be pickled.

    In one process it is the same for what arrives again unchanged, as both were unpickled alike.
    """
    told = _Digest(_ARRIVED_BYTES_MAX)
    try:
        pickler = _ArrivedPickler(told, 5, buffer_callback=lambda it: told.write(it.raw()))
        pickler.dump(obj)
    except Exception:
        return None
    return told.digest.digest()


def attributes(obj: Any) -> dict[str, Any]:
    """Return the attributes of an object, including those in slots."""
    found = dict(getattr(obj, "__dict__", {}))
    kind = type(obj)
    slots = _slots.get(kind)
    if slots is None:
        slots = _slots_of(kind)
        _slots.set(kind, slots)
    for place in slots:
        try:
            found[place] = object.__getattribute__(obj, place)
        except AttributeError:
            continue
    return found


def _slots_of(kind: type) -> list[str]:
    """Return the attributes for which objects of a class have slots."""
    found = []
    for cls in kind.__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            hidden = name.startswith("__") and not name.endswith("__")
            found.append(f"_{cls.__name__.lstrip('_')}{name}" if hidden else name)
    return found
