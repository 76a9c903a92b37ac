"""Messages, as scripts for bgpy 0.3 know them. They are no longer what travels."""

from __future__ import annotations

from enum import Enum
from typing import Any


class MessageType(Enum):
    """What a message is for."""

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
        What the message is for.
    args : dict, optional
        What it carries.
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
