"""The message classes of bgpy 0.3, for scripts that import them. bgpy no longer sends them."""

from __future__ import annotations

from enum import Enum
from typing import Any


class MessageType(Enum):
    """The purpose of a message."""

    INIT = 0
    EXEC = 1
    EXIT = 2
    AUTH = 3
    OK = 4
    ERROR = 5


class Message:
    """A type and its arguments.

    Parameters
    ----------
    type_ : MessageType
        Purpose of the message.
    args : dict, optional
        Contents of the message.
    """

    __slots__ = ("args", "type")

    def __init__(self, type_: MessageType, args: dict[str, Any] | None = None) -> None:
        self.type = type_
        self.args: dict[str, Any] = {} if args is None else args

    def __repr__(self) -> str:
        return f"Message({self.type}, {self.args})"

    def __str__(self) -> str:
        return self.type.name

    def get_args(self) -> dict[str, Any]:
        """Return the arguments."""
        return self.args

    def set_args(self, args: dict[str, Any]) -> None:
        """Replace the arguments."""
        self.args = args
