"""RPyC: an exposed method of a service, looked up once."""

from __future__ import annotations

from pathlib import Path

import rpyc
from rpyc.utils.server import ThreadedServer

from .way import Served

# Ten megabytes pass its default of 30 s here, but a machine may be busy.
CONFIG = {"sync_request_timeout": 300}


class Echo(rpyc.Service):
    """The service."""

    def exposed_echo(self, data: bytes) -> bytes:
        """Return the bytes."""
        return data


class Tcp(Served):
    """Over TCP."""

    title = "RPyC, TCP"

    def connect(self) -> None:
        self.attach(rpyc.connect("127.0.0.1", int(self.address), config=CONFIG))

    def attach(self, connection: rpyc.Connection) -> None:
        """Take the method from a connection."""
        self.connection = connection
        self.echo = connection.root.echo

    def call(self, data: bytes) -> bytes:
        return self.echo(data)

    def close(self) -> None:
        self.connection.close()

    @classmethod
    def serve(cls, directory: Path) -> None:
        server = cls.server(directory)
        # Which start() does as well, but after that nobody can tell its address.
        server._listen()
        print(server.port or server.socket_path, flush=True)
        server.start()

    @staticmethod
    def server(_directory: Path) -> ThreadedServer:
        """Return a server that is bound to its address."""
        return ThreadedServer(Echo, hostname="127.0.0.1", port=0)


class Unix(Tcp):
    """Over a Unix socket."""

    title = "RPyC, Unix"

    def connect(self) -> None:
        self.attach(rpyc.utils.factory.unix_connect(self.address, config=CONFIG))

    @staticmethod
    def server(directory: Path) -> ThreadedServer:
        return ThreadedServer(Echo, socket_path=str(directory / "rpyc"))
