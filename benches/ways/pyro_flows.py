"""Pyro5: a batch of calls in one message, and a generator, which the client asks for each value."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import Pyro5.api
import serpent

from .flow import ServedFlow


@Pyro5.api.expose
class Generators:
    """The object behind the proxy."""

    def __init__(self) -> None:
        self._held: Any = None

    def echo(self, data: object) -> object:
        """Return the bytes, which serpent makes a dict of."""
        return data

    def hold(self, data: bytes) -> None:
        """Hold a pickled object."""
        self._held = pickle.loads(data)

    def small(self, count: int) -> Iterator[Any]:
        """Yield what is held, so many times."""
        for _ in range(count):
            yield self._held

    def pickled(self, count: int) -> Iterator[bytes]:
        """Yield what is held, pickled."""
        for _ in range(count):
            yield pickle.dumps(self._held, 5)


class Unix(ServedFlow):
    """Over a Unix socket, with serpent, the default serializer."""

    title = "Pyro5, Unix"

    def connect(self) -> None:
        self.proxy, self.binary = (Pyro5.api.Proxy(self.address) for _ in range(2))
        self.binary._pyroSerializer = "marshal"

    def pipeline(self, data: bytes, count: int) -> list[bytes]:
        batch = Pyro5.api.BatchProxy(self.proxy)
        for _ in range(count):
            batch.echo(data)
        return [serpent.tobytes(result) for result in batch()]

    def stream(self, data: Any, count: int) -> tuple[int, Any]:
        value, number = None, 0
        for item in self.proxy.small(count):
            value = serpent.tobytes(item)
            number += 1
        return number, value

    def hold(self, thing: Any) -> None:
        self.binary.hold(pickle.dumps(thing, 5))

    def close(self) -> None:
        self.proxy._pyroRelease()
        self.binary._pyroRelease()

    @classmethod
    def serve(cls, directory: Path) -> None:
        daemon = Pyro5.api.Daemon(unixsocket=str(directory / f"pyro-{cls.__name__}"))
        print(daemon.register(Generators()), flush=True)
        daemon.requestLoop()


class UnixPickled(Unix):
    """Objects, pickled, with the serializer that leaves bytes as they are."""

    title = "Pyro5 + pickle, Unix"

    def stream(self, data: Any, count: int) -> tuple[int, Any]:
        value, number = None, 0
        for item in self.binary.pickled(count):
            value = pickle.loads(item)
            number += 1
        return number, value
