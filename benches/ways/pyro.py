"""Pyro5: a proxy's method, with its default serializer, serpent.

Serpent takes no arrays, and makes text of bytes. Objects are therefore pickled, and the bytes sent
with marshal, another serializer of Pyro5, which leaves them as they are.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import Pyro5.api
import serpent

from .way import Served, Shelf


@Pyro5.api.expose
class Echo:
    """The object behind the proxy."""

    def __init__(self) -> None:
        self._shelf = Shelf()

    def ask(self, data: bytes) -> bytes:
        """Do what the pickled arguments say."""
        return pickle.dumps(self._shelf.ask(*pickle.loads(data)), 5)

    def echo(self, data: object) -> object:
        """Return the bytes, which serpent makes a dict of."""
        return data


class Tcp(Served):
    """Over TCP."""

    title = "Pyro5, TCP"

    def connect(self) -> None:
        self.proxy = Pyro5.api.Proxy(self.address)
        # It connects when it is first used.
        self.binary = Pyro5.api.Proxy(self.address)
        self.binary._pyroSerializer = "marshal"

    def call(self, data: bytes) -> bytes:
        return serpent.tobytes(self.proxy.echo(data))

    def ask(self, work: str, thing: Any = None) -> Any:
        return pickle.loads(self.binary.ask(pickle.dumps((work, thing), 5)))

    def close(self) -> None:
        self.proxy._pyroRelease()
        self.binary._pyroRelease()

    @classmethod
    def serve(cls, directory: Path) -> None:
        daemon = cls.daemon(directory)
        print(daemon.register(Echo()), flush=True)
        daemon.requestLoop()

    @staticmethod
    def daemon(_directory: Path) -> Pyro5.api.Daemon:
        """Return a daemon that listens."""
        return Pyro5.api.Daemon("127.0.0.1")


class Unix(Tcp):
    """Over a Unix socket."""

    title = "Pyro5, Unix"

    @staticmethod
    def daemon(directory: Path) -> Pyro5.api.Daemon:
        return Pyro5.api.Daemon(unixsocket=str(directory / "pyro"))
