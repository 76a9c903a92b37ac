"""multiprocessing.managers: a proxy's method."""

from __future__ import annotations

from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

from .way import Served, Shelf

KEY = b"a key that only guards this benchmark"


class Echo(Shelf):
    """The object behind the proxy."""

    def echo(self, data: bytes) -> bytes:
        """Return the bytes."""
        return data


class EchoManager(BaseManager):
    """The server's and the client's manager."""


EchoManager.register("Echo", Echo)


class Unix(Served):
    """Over a Unix socket, the default here."""

    title = "multiprocessing.managers, Unix"

    def connect(self) -> None:
        manager = EchoManager(self.place(self.address), KEY)
        manager.connect()
        self.proxy = manager.Echo()

    def call(self, data: bytes) -> bytes:
        return self.proxy.echo(data)

    def ask(self, work: str, thing: Any = None) -> Any:
        return self.proxy.ask(work, thing)

    @classmethod
    def serve(cls, directory: Path) -> None:
        server = EchoManager(cls.bound(directory), KEY).get_server()
        print(cls.written(server.address), flush=True)
        server.serve_forever()

    @staticmethod
    def bound(directory: Path) -> str | tuple[str, int]:
        """Return the address to listen at."""
        return str(directory / "managers")

    @staticmethod
    def written(address: str | tuple[str, int]) -> str:
        """Return an address as text."""
        return str(address)

    @staticmethod
    def place(text: str) -> str | tuple[str, int]:
        """Return the address that the text says."""
        return text


class Tcp(Unix):
    """Over TCP."""

    title = "multiprocessing.managers, TCP"

    @staticmethod
    def bound(directory: Path) -> tuple[str, int]:
        return "127.0.0.1", 0

    @staticmethod
    def written(address: tuple[str, int]) -> str:
        return str(address[1])

    @staticmethod
    def place(text: str) -> tuple[str, int]:
        return "127.0.0.1", int(text)
