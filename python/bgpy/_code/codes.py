"""Caches of what is derived from code objects, which are immutable."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import TypeVar

    T = TypeVar("T")

_KEPT_MAX = 16_384


def kept_by_code(make: Callable[[CodeType], T]) -> Callable[[CodeType], T]:
    """Return a function that caches what `make` returns for a code object."""
    # By id first: hashing and comparing code takes a microsecond. The cache holds the code, so its
    # id cannot be reused.
    by_id: dict[int, tuple[CodeType, T]] = {}
    by_code: dict[CodeType, T] = {}

    def get(code: CodeType) -> T:
        known = by_id.get(id(code))
        if known is not None:
            return known[1]
        found = by_code.get(code)
        if found is None:
            found = make(code)
        for kept in (by_id, by_code):
            if len(kept) >= _KEPT_MAX:
                kept.clear()
        by_id[id(code)] = code, found
        by_code[code] = found
        return found

    return get
