"""The node of a definition or object in the graph that `content` digests."""

from __future__ import annotations

from .constants import constant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Node:
    """The encoding of a definition or object by itself, and the objects that it uses."""

    __slots__ = (
        "_facts_told",
        "_told",
        "changes",
        "facts",
        "has_counts",
        "has_state",
        "is_bound",
        "is_shared",
        "later",
        "more",
        "named",
        "own",
        "used",
    )

    def __init__(self) -> None:
        self.own: list[bytes] = []
        # Code, and data that no code changes.
        self.used: list[Any] = []
        # Code that is encoded as its name.
        self.named: list[Any] = []
        # Data that code of its module may change: encoded constants, and other objects.
        self.facts: list[bytes] = []
        self.more: list[Any] = []
        # Variables that code assigns to: whether there are constants, and other objects.
        self.has_counts = False
        self.later: list[Any] = []
        # Whether the code of the module changes containers.
        self.changes = False
        self.has_state = False
        # Whether its code uses globals, or variables of enclosing functions, that change.
        self.is_bound = False
        # Classes and modules are one object for all their users, whatever their state.
        self.is_shared = False
        self._told: bytes | None = None
        self._facts_told = b""

    def told(self) -> bytes:
        """Return the encoding of the object by itself, once it is complete."""
        if self._told is None:
            self._told = framed(self.own)
            self._facts_told = framed(self.facts) if self.facts else b""
        return self._told

    def told_with_facts(self) -> bytes:
        """Return the encoding, including the constants that code may change."""
        return self.told() + self._facts_told

    def add_state(self, value: Any) -> None:
        """Add the value of a variable that code assigns to."""
        if constant(value) is None:
            self.later.append(value)
        else:
            self.has_counts = True


def framed(parts: list[bytes]) -> bytes:
    """Join parts with their lengths, so that the result is unique to them."""
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])


def text(string: str) -> bytes:
    """Encode text, including surrogates."""
    return string.encode("utf-8", "surrogatepass")
