"""What an object holds, for the digest of a definition that uses it."""

from __future__ import annotations

from collections import OrderedDict, deque
from types import MappingProxyType, SimpleNamespace

from .constants import constant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SEQUENCES = (list, tuple, deque)
_MAPPINGS = (dict, OrderedDict, MappingProxyType)
# Their objects describe the fields of a class.
_DESCRIBING = ("annotated_types", "attr", "dataclasses", "msgspec", "pydantic")
_ARRAY_BYTES_MAX = 1 << 16


def held(obj: Any, is_own: bool) -> tuple[list[bytes], list[Any]]:
    """Take an object apart that may change.

    Parameters
    ----------
    obj : object
        No constant, and no definition.
    is_own : bool
        Whether its class is the user's own.

    Returns
    -------
    tuple of list of bytes and list
        What can be said of the object by itself, and the objects in it, in an order that is the
        same in every process. Of a kind that is not known, nothing is said.
    """
    kind = type(obj)
    told: list[bytes] = []
    inside: list[Any] = []
    if isinstance(obj, _SEQUENCES):
        inside += obj
    elif isinstance(obj, _MAPPINGS):
        for key, value in list(obj.items()):
            inside += key, value
        inside.append(getattr(obj, "default_factory", None))
    elif isinstance(obj, (set, frozenset)):
        # Without an order that means something, only constants can be told.
        told += sorted(constant(item) or b"?" for item in obj)
    elif kind is bytearray:
        told.append(bytes(obj))
    elif kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        told += _array(obj)
    if is_own or kind is SimpleNamespace or kind.__module__.partition(".")[0] in _DESCRIBING:
        for name, value in sorted(_attributes(obj).items()):
            told.append(name.encode("utf-8", "surrogatepass"))
            inside.append(value)
    return told, inside


def _array(array: Any) -> list[bytes]:
    about = f"{array.dtype} {array.shape}".encode()
    if array.dtype.hasobject or array.nbytes > _ARRAY_BYTES_MAX:
        return [about]
    return [about, array.tobytes()]


def _attributes(obj: Any) -> dict[str, Any]:
    found = dict(getattr(obj, "__dict__", {}))
    for cls in type(obj).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            hidden = name.startswith("__") and not name.endswith("__")
            place = f"_{cls.__name__.lstrip('_')}{name}" if hidden else name
            try:
                found[place] = object.__getattribute__(obj, place)
            except AttributeError:
                continue
    return found
