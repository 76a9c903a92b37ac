"""Encodings of parts of definitions, for `content`."""

from __future__ import annotations

from types import FunctionType, GetSetDescriptorType, MemberDescriptorType

from .assigned import functions_of
from .constants import constant
from .node import framed, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def doc(cls: type) -> bytes:
    """Return the docstring of a class; not of a dataclass, where it may contain addresses."""
    told = vars(cls).get("__doc__")
    return constant(told) or b"" if "__dataclass_fields__" not in vars(cls) else b""


def bare(obj: Any) -> bytes:
    """Return the bytecode of a function, or of the functions of a class."""
    functions = sorted(functions_of(obj), key=lambda it: it.__qualname__)
    return framed([instructions(it) for it in functions])


def instructions(function: FunctionType) -> bytes:
    """Return the encoding of a function's code, without its position in the source."""
    code = function.__code__
    if code.co_name == "__hash__" and code.co_filename.startswith("<attrs generated"):
        # It contains a number that is random in each process; the fields determine the rest.
        return b"hash"
    return constant(code) or b""


def added(member: Any) -> dict[str, Any]:
    """Return the public attributes that were added to a member of an enumeration."""
    return {name: value for name, value in vars(member).items() if not name.startswith("_")}


def of_members(value: Any, cls: Any) -> bytes | None:
    """Return the encoding of an enumeration's table of members; None if it holds anything else."""
    items = [*value, *value.values()] if type(value) is dict else [value]
    told = [
        b"member " + text(str(item._name_)) if type(item) is cls else constant(item)
        for item in items
    ]
    return None if None in told else framed(told)  # type: ignore[arg-type]


def is_slot(value: Any, cls: type) -> bool:
    """Return whether an attribute of a class is the descriptor of a slot."""
    kinds = (MemberDescriptorType, GetSetDescriptorType)
    return isinstance(value, kinds) and value.__objclass__ is cls
