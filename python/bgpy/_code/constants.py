"""Encodes constants as bytes that are the same in every process."""

from __future__ import annotations

from types import CodeType, EllipsisType, NoneType

from .codes import kept_by_code

try:
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PLAIN = {NoneType, bool, int, float, complex, str, bytes, EllipsisType, range}
# Objects of these modules are immutable, and their repr is complete.
_SHOWN = {"datetime", "decimal", "fractions", "operator", "pathlib", "uuid", "zoneinfo"}
# Sentinels of `dataclasses`, which are compared by identity.
MARKS = {"_FIELD_BASE", "_HAS_DEFAULT_FACTORY_CLASS", "_KW_ONLY_TYPE", "_MISSING_TYPE"}
# Longer texts are encoded as their digest.
_SHOWN_MAX = 1024


def digest(data: bytes = b"") -> blake2b:
    """Start a digest of 16 bytes."""
    return blake2b(data, digest_size=16)


def constant(value: Any) -> bytes | None:
    """Return the encoding of a constant, or None if the value is not a constant."""
    kind = type(value)
    if kind in (str, bytes) and len(value) > _SHOWN_MAX:
        raw = value.encode("utf-8", "surrogatepass") if kind is str else value
        return b"long %b %b" % (kind.__name__.encode(), digest(raw).digest())
    if kind is int:
        # Hexadecimal takes linear time, and is not limited in length as decimal is.
        return b"int %x" % value
    if kind in PLAIN:
        return _shown(value, kind)
    if kind is CodeType:
        return _code(value)
    if kind in (tuple, frozenset):
        items = [constant(item) for item in value]
        known = [item for item in items if item is not None]
        if len(known) < len(items):
            return None
        # The order of a set differs between processes.
        ordered = known if kind is tuple else sorted(known)
        return b"%b(%b)" % (kind.__name__.encode(), b",".join(ordered))
    if kind.__module__ in _SHOWN:
        return _shown(value, kind)
    if kind.__module__ == "dataclasses" and kind.__name__ in MARKS:
        return f"{kind.__name__} {getattr(value, 'name', '')}".encode()
    if kind.__module__ == "re" and kind.__name__ == "Pattern":
        return b"pattern" + (constant((value.pattern, value.flags)) or b"")
    return None


def _shown(value: Any, kind: type) -> bytes | None:
    try:
        return f"{kind.__name__} {value!r}".encode("utf-8", "surrogatepass")
    except ValueError:
        # Python refuses the repr of very large numbers.
        return None


@kept_by_code
def _code(code: CodeType) -> bytes:
    """Return the encoding of a code object, without file name and line numbers."""
    numbers = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    texts = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    told = repr((numbers, texts, code.co_code, code.co_exceptiontable))
    inner = [constant(item) or b"" for item in code.co_consts]
    return b"code %b [%b]" % (told.encode("utf-8", "surrogatepass"), b",".join(inner))
