"""How parts of definitions are told, for `content`."""

from __future__ import annotations

from types import FunctionType, GetSetDescriptorType, MemberDescriptorType

from .assigned import functions_of
from .constants import constant
from .node import framed, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def doc(cls: type) -> bytes:
    """Return what is written about a class; that of a dataclass may show addresses."""
    told = vars(cls).get("__doc__")
    return constant(told) or b"" if "__dataclass_fields__" not in vars(cls) else b""


def bare(obj: Any) -> bytes:
    """Return the instructions of a function, or of those of a class."""
    functions = sorted(functions_of(obj), key=lambda it: it.__qualname__)
    return framed([instructions(it) for it in functions])


def instructions(function: FunctionType) -> bytes:
    """Return what a function does, wherever it stands."""
    code = function.__code__
    if code.co_name == "__hash__" and code.co_filename.startswith("<attrs generated"):
        # It begins with a number that each process draws anew, and the fields tell the rest.
        return b"hash"
    return constant(code) or b""


def added(member: Any) -> dict[str, Any]:
    """Return the attributes that a member of an enumeration has got."""
    return {name: value for name, value in vars(member).items() if not name.startswith("_")}


def of_members(value: Any, cls: Any) -> bytes | None:
    """Tell what an enumeration holds of its members and their values, if it is nothing else."""
    items = [*value, *value.values()] if type(value) is dict else [value]
    told = [
        b"member " + text(str(item._name_)) if type(item) is cls else constant(item)
        for item in items
    ]
    return None if None in told else framed(told)  # type: ignore[arg-type]


def is_slot(value: Any, cls: type) -> bool:
    """Tell whether an attribute of a class leads to a slot of its objects."""
    kinds = (MemberDescriptorType, GetSetDescriptorType)
    return isinstance(value, kinds) and value.__objclass__ is cls
