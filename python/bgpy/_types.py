"""Types of arguments, for type checkers; nothing imports this at run time."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any, Literal, TypedDict

from ._bgpy import ClientSocket

InitTask = Callable[[], Any] | Callable[[ClientSocket], Any]
# It gets the client socket, the state and the argument of the call.
Task = Callable[[ClientSocket, Any, Any], object]
Functions = tuple[InitTask, Task] | tuple[InitTask, Task, Task]
Tasks = str | PathLike[str] | Functions
# A class, or what else returns the object of a service.
Factory = Callable[..., object]

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
# Any other number of failures is accepted as well.
RestartPolicy = Literal[
    "never",
    "on-failure",
    "on-failure:1",
    "on-failure:2",
    "on-failure:3",
    "on-failure:5",
    "on-failure:10",
    "on-failure:20",
    "on-failure:50",
    "on-failure:100",
]


class ProgressDict(TypedDict):
    """How far a call has come, in `Status`."""

    done: float | None
    total: float | None
    text: str | None


class Status(TypedDict):
    """What `Client.status` returns."""

    state: Literal["STARTING", "UNINITIALIZED", "READY", "BUSY", "STOPPING"]
    task: str | None
    busy_s: float | None
    queue: int
    calls: int
    clients: int
    uptime_s: float
    cpu_s: float | None
    pid: int
    rss_bytes: int | None
    name: str | None
    call: int | None
    progress: ProgressDict | None
