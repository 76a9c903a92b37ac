"""What all ways of calling have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from time import perf_counter_ns
from typing import ClassVar

from workspace import Workspace


class Way(ABC):
    """One way to send bytes to another process and to get them back.

    Attributes
    ----------
    title : str
        How tables name it.
    calls_max : int or None
        Most calls a round, for what is slow.
    rounds_max : int or None
        Most rounds, likewise.
    """

    title: ClassVar[str]
    calls_max: ClassVar[int | None] = None
    rounds_max: ClassVar[int | None] = None

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @abstractmethod
    def open(self) -> None:
        """Start the server and connect to it. The workspace ends the server."""

    @abstractmethod
    def call(self, data: bytes) -> bytes:
        """Have the bytes echoed."""

    def close(self) -> None:
        """Close the connection, where that needs more than the end of its process."""
        return

    def times(self, data: bytes, count: int) -> list[int]:
        """Call so many times, and return how long each call took in nanoseconds."""
        call = self.call
        times = []
        for _ in range(count):
            start = perf_counter_ns()
            call(data)
            times.append(perf_counter_ns() - start)
        return times

    def check(self, data: bytes) -> None:
        """Raise when what comes back is not what was sent."""
        if self.call(data) != data:
            raise ValueError("the answer is not what was sent")


class Served(Way):
    """A way whose server is started by `serve.py`."""

    address: str

    def open(self) -> None:
        """Start the server, then connect."""
        self.address = self.workspace.serve(type(self))
        self.connect()

    @abstractmethod
    def connect(self) -> None:
        """Connect to `address`."""

    @classmethod
    @abstractmethod
    def serve(cls, directory: Path) -> None:
        """Run the server, in a process of its own; it prints its address when it listens."""
