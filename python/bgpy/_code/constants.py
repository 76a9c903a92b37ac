"""What a constant is, in bytes that are the same in every process."""

from __future__ import annotations

from types import CodeType, EllipsisType, NoneType

try:
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PLAIN = {NoneType, bool, int, float, complex, str, bytes, EllipsisType, range}
# Objects of these modules cannot change, and show all that they are.
_SHOWN = {"datetime", "decimal", "fractions", "operator", "pathlib", "uuid", "zoneinfo"}
_KEPT_MAX = 4096
# Longer texts are told by their digest.
_SHOWN_MAX = 1024

_codes: dict[CodeType, bytes] = {}


def digest(data: bytes = b"") -> blake2b:
    """Begin a digest of 16 bytes."""
    return blake2b(data, digest_size=16)


def constant(value: Any) -> bytes | None:
    """Return what a constant is, or None for what is none."""
    kind = type(value)
    if kind in (str, bytes) and len(value) > _SHOWN_MAX:
        raw = value.encode("utf-8", "surrogatepass") if kind is str else value
        return b"long %b %b" % (kind.__name__.encode(), digest(raw).digest())
    if kind in _PLAIN:
        return f"{kind.__name__} {value!r}".encode("utf-8", "surrogatepass")
    if kind is CodeType:
        return _code(value)
    if kind in (tuple, frozenset):
        items = [constant(item) for item in value]
        known = [item for item in items if item is not None]
        if len(known) < len(items):
            return None
        # A set has another order in each process.
        ordered = known if kind is tuple else sorted(known)
        return b"%b(%b)" % (kind.__name__.encode(), b",".join(ordered))
    if kind.__module__ in _SHOWN:
        return f"{kind.__name__} {value!r}".encode("utf-8", "surrogatepass")
    if kind.__module__ == "re" and kind.__name__ == "Pattern":
        return b"pattern" + (constant((value.pattern, value.flags)) or b"")
    return None


def _code(code: CodeType) -> bytes:
    """Return what code does, wherever it stands."""
    known = _codes.get(code)
    if known is None:
        numbers = (
            code.co_argcount,
            code.co_posonlyargcount,
            code.co_kwonlyargcount,
            code.co_flags,
        )
        texts = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        told = repr((numbers, texts, code.co_code, code.co_exceptiontable))
        inner = [constant(item) or b"" for item in code.co_consts]
        known = b"code %b [%b]" % (told.encode("utf-8", "surrogatepass"), b",".join(inner))
        if len(_codes) >= _KEPT_MAX:
            _codes.clear()
        _codes[code] = known
    return known
