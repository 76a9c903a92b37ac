"""A comparison that lets nothing pass as equal that a program could tell apart."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import struct
import uuid
import zoneinfo

# Copies of these are as good as the originals, and nobody notices: pickle copies numbers as well.
SMALL_BYTES = 64
NUMBERS = (type(None), bool, int, float)


def differ(left: object, right: object) -> str | None:
    """Tell where two objects differ in type, value, order or sharing, or None."""
    return _Comparison().differ(left, right, "it")


class _Comparison:
    def __init__(self) -> None:
        self.pairs: dict[int, int] = {}
        self.kept: list[object] = []

    def differ(self, left, right, path):
        if type(left) is not type(right):
            return f"{path}: {type(left)} is not {type(right)}"
        if isinstance(left, NUMBERS):
            return None if number(left) == number(right) else f"{path}: {left!r} is not {right!r}"
        if isinstance(left, (str, bytes)) and len(left) < SMALL_BYTES:
            return None if left == right else f"{path}: {left!r} is not {right!r}"
        if isinstance(left, enum.Enum):
            return None if left is right else f"{path}: {left!r} is not {right!r}"
        if isinstance(left, (tuple, frozenset)) and not left and not right:
            return None
        known = self.pairs.get(id(left)), self.pairs.get(~id(right))
        if known != (None, None):
            return None if known == (id(right), id(left)) else f"{path}: not shared in the same way"
        self.pairs[id(left)], self.pairs[~id(right)] = id(right), id(left)
        self.kept += [left, right]
        return self.inside(left, right, path)

    def inside(self, left, right, path):
        if isinstance(left, (list, tuple)):
            return self.all(left, right, path)
        if isinstance(left, dict):
            keys = self.all(list(left), list(right), f"list({path})")
            return keys or self.all(list(left.values()), list(right.values()), path)
        if isinstance(left, (set, frozenset)):
            # Pickle keeps no order, and gives none that is worth keeping.
            return self.all(sorted(left, key=words), sorted(right, key=words), f"list({path})")
        same = state(left) == state(right)
        return None if same else f"{path}: {left!r} is not {right!r}"

    def all(self, left, right, path):
        if len(left) != len(right):
            return f"{path}: {len(left)} items, not {len(right)}"
        found = (
            self.differ(one, other, f"{path}[{place}]")
            for place, (one, other) in enumerate(zip(left, right, strict=True))
        )
        return next(filter(None, found), None)


def words(value):
    """Return the same text for equal items of sets, whatever order they are in."""
    if isinstance(value, (tuple, frozenset)):
        inside = map(words, value)
        ordered = inside if isinstance(value, tuple) else sorted(inside)
        return f"{type(value).__name__}({', '.join(ordered)})"
    return f"{type(value).__name__} {value!r}"


def number(value):
    return struct.pack("<d", value) if isinstance(value, float) else value


def state(value):
    """Return all that there is to know of an object that holds no other."""
    match value:
        case datetime.datetime():
            return value.replace(tzinfo=None), value.fold, zone(value.tzinfo)
        case datetime.time():
            return value.replace(tzinfo=None), value.fold, zone(value.tzinfo)
        case datetime.tzinfo():
            return zone(value)
        case complex():
            return struct.pack("<dd", value.real, value.imag)
        case decimal.Decimal():
            return value.as_tuple()
        case uuid.UUID():
            return value.int, value.is_safe
        case pathlib.PurePath():
            return str(value), value.parts
    return value


def zone(tz):
    match tz:
        case zoneinfo.ZoneInfo():
            return id(tz), tz.key
        case datetime.timezone():
            # What it is made from, which tells a zone without a name from one of the same name.
            return tz.__getinitargs__()
    return tz
