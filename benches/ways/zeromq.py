"""ZeroMQ through pyzmq: REQ and REP with pickled objects."""

from __future__ import annotations

from pathlib import Path

import zmq

from .way import Served


class Tcp(Served):
    """Over TCP."""

    title = "ZeroMQ REQ/REP + pickle, TCP"

    def connect(self) -> None:
        self.socket = zmq.Context.instance().socket(zmq.REQ)
        self.socket.linger = 0
        self.socket.connect(self.address)

    def call(self, data: bytes) -> bytes:
        self.socket.send_pyobj(data)
        return self.socket.recv_pyobj()

    def close(self) -> None:
        self.socket.close()

    @classmethod
    def serve(cls, directory: Path) -> None:
        server = zmq.Context.instance().socket(zmq.REP)
        server.bind(cls.bound(directory))
        print(server.last_endpoint.decode(), flush=True)
        while True:
            server.send_pyobj(server.recv_pyobj())

    @staticmethod
    def bound(_directory: Path) -> str:
        """Return the address to listen at."""
        return "tcp://127.0.0.1:*"


class Ipc(Tcp):
    """Over a Unix socket."""

    title = "ZeroMQ REQ/REP + pickle, Unix"

    @staticmethod
    def bound(directory: Path) -> str:
        return f"ipc://{directory}/zeromq"
