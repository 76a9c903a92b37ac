"""What is noted of a definition or an object before it is digested."""

from __future__ import annotations

from .constants import constant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Node:
    """What a definition or an object is by itself, and what it uses."""

    __slots__ = (
        "_facts_told",
        "_told",
        "changes",
        "facts",
        "has_counts",
        "has_state",
        "is_shared",
        "later",
        "more",
        "named",
        "own",
        "used",
    )

    def __init__(self) -> None:
        self.own: list[bytes] = []
        # Code, and data that nothing changes.
        self.used: list[Any] = []
        # Code that is told by its name.
        self.named: list[Any] = []
        # Data that code of its module may change: constants, and the rest.
        self.facts: list[bytes] = []
        self.more: list[Any] = []
        # What code assigns to: whether there are constants, and the rest.
        self.has_counts = False
        self.later: list[Any] = []
        # Whether the code of the module changes containers.
        self.changes = False
        self.has_state = False
        # Classes and modules are one object for everybody who uses them, whatever their state.
        self.is_shared = False
        self._told: bytes | None = None
        self._facts_told = b""

    def told(self) -> bytes:
        """Return what it is by itself, once that is complete."""
        if self._told is None:
            self._told = framed(self.own)
            self._facts_told = framed(self.facts) if self.facts else b""
        return self._told

    def told_with_facts(self) -> bytes:
        """Return what it is by itself, with what code may change of that."""
        return self.told() + self._facts_told

    def add_state(self, value: Any) -> None:
        """Add the value of what code assigns to."""
        if constant(value) is None:
            self.later.append(value)
        else:
            self.has_counts = True


def framed(parts: list[bytes]) -> bytes:
    """Join parts so that others would not give the same."""
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])


def text(string: str) -> bytes:
    """Encode any text."""
    return string.encode("utf-8", "surrogatepass")
