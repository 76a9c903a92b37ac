"""What all ways of calling have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from pathlib import Path
from time import perf_counter_ns
from typing import Any, ClassVar
from zlib import crc32

from workspace import Workspace


class Act(StrEnum):
    """What is measured of a way, named as the method that does it."""

    ECHO = "call"
    ARGUMENT = "send"
    RESPONSE = "fetch"
    # Of a `ways.flow.Flow`.
    PIPELINE = "pipeline"
    STREAM = "stream"


class Shelf:
    """What every server does with objects: as little as shows that they are there."""

    def __init__(self) -> None:
        self.held: Any = None

    def ask(self, work: str, thing: Any = None) -> Any:
        """Do what `Way` asks for."""
        if work == "size":
            return len(thing)
        if work == "hold":
            self.held = thing
            return len(thing)
        return self.held


class Way(ABC):
    """One way to send bytes to another process and to get them back, and maybe objects.

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

    def ask(self, work: str, thing: Any = None) -> Any:
        """Have `Shelf.ask` of the server called with an object."""
        raise NotImplementedError("sending objects is not implemented")

    def send(self, thing: Any) -> int:
        """Have the server take an object, and answer how long it is."""
        return self.ask("size", thing)

    def hold(self, thing: Any) -> None:
        """Have the server keep an object."""
        self.ask("hold", thing)

    def fetch(self, _like: Any) -> Any:
        """Have the server answer with the object that it keeps, which is like this one."""
        return self.ask("held")

    def close(self) -> None:
        """Close the connection, where that needs more than the end of its process."""
        return

    def times(self, data: Any, count: int, act: Act = Act.ECHO) -> list[int]:
        """Call so many times, and return how long each call took in nanoseconds."""
        call = getattr(self, act)
        times = []
        for _ in range(count):
            start = perf_counter_ns()
            call(data)
            times.append(perf_counter_ns() - start)
        return times

    def check(self, data: Any, act: Act = Act.ECHO) -> None:
        """Raise when what comes back is not what was sent."""
        if act is Act.ECHO:
            good = self.call(data) == data
        elif act is Act.ARGUMENT:
            good = self.send(data) == len(data)
        else:
            self.hold(data)
            good = crc32(self.fetch(data)) == crc32(data)
        if not good:
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
