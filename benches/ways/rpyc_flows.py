"""RPyC: asynchronous calls of a method, and a generator, which is read in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rpyc
from rpyc.utils.helpers import buffiter
from rpyc.utils.server import ThreadedServer

from .flow import ServedFlow
from .rpyc_calls import CONFIG

# Neither side reads while it writes: with more, both wait for the other for ever.
IN_FLIGHT = 100


class Generators(rpyc.Service):
    """The service."""

    def __init__(self) -> None:
        self.held: Any = None

    def exposed_echo(self, data: bytes) -> bytes:
        """Return the bytes."""
        return data

    def exposed_hold(self, data: bytes) -> None:
        """Hold the bytes."""
        self.held = data

    def exposed_stream(self, count: int) -> Iterator[bytes]:
        """Yield what is held, so many times."""
        for _ in range(count):
            yield self.held


class Unix(ServedFlow):
    """Over a Unix socket."""

    title = "RPyC, Unix"

    def connect(self) -> None:
        self.connection = rpyc.utils.factory.unix_connect(self.address, config=CONFIG)
        self.root = self.connection.root
        self.echo = rpyc.async_(self.root.echo)

    def pipeline(self, data: bytes, count: int) -> list[bytes]:
        results = []
        for begun in range(0, count, IN_FLIGHT):
            flight = [self.echo(data) for _ in range(min(IN_FLIGHT, count - begun))]
            results += [result.value for result in flight]
        return results

    def stream(self, data: bytes, count: int) -> tuple[int, Any]:
        last, number = None, 0
        for value in buffiter(self.root.stream(count)):
            last = value
            number += 1
        return number, last

    def hold(self, thing: bytes) -> None:
        self.root.hold(thing)

    def close(self) -> None:
        self.connection.close()

    @classmethod
    def serve(cls, directory: Path) -> None:
        path = str(directory / "rpyc")
        server = ThreadedServer(Generators, socket_path=path)
        # `start` does this too, but does not return.
        server._listen()
        print(path, flush=True)
        server.start()
