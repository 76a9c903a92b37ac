"""Pyro5: a proxy's method, with its default serializer, serpent."""

from __future__ import annotations

from pathlib import Path

import Pyro5.api
import serpent

from .way import Served


@Pyro5.api.expose
class Echo:
    """The object behind the proxy."""

    def echo(self, data: object) -> object:
        """Return the bytes, which serpent makes a dict of."""
        return data


class Tcp(Served):
    """Over TCP."""

    title = "Pyro5, TCP"

    def connect(self) -> None:
        self.proxy = Pyro5.api.Proxy(self.address)

    def call(self, data: bytes) -> bytes:
        return serpent.tobytes(self.proxy.echo(data))

    def close(self) -> None:
        self.proxy._pyroRelease()

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
