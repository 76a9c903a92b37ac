"""ZeroMQ through pyzmq: REQ and REP with pickled objects.

`Tcp` and `Ipc` do what is simplest. The other two have pickle leave large buffers where they are,
and ZeroMQ send them from there as parts of their own.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import zmq

from .way import Served, Shelf


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


class PartsTcp(Tcp):
    """Objects in parts over TCP."""

    title = "ZeroMQ REQ/REP + pickle 5, TCP"

    def ask(self, work: str, thing: Any = None) -> Any:
        send(self.socket, (work, thing))
        return receive(self.socket)

    @classmethod
    def serve(cls, directory: Path) -> None:
        server = zmq.Context.instance().socket(zmq.REP)
        server.bind(cls.bound(directory))
        print(server.last_endpoint.decode(), flush=True)
        shelf = Shelf()
        while True:
            send(server, shelf.ask(*receive(server)))


class PartsIpc(PartsTcp, Ipc):
    """Objects in parts over a Unix socket."""

    title = "ZeroMQ REQ/REP + pickle 5, Unix"


def send(socket: zmq.Socket, thing: Any) -> None:
    """Send an object without a copy of its large buffers."""
    socket.send_multipart(parts(thing), copy=False)


def parts(thing: Any) -> list[Any]:
    """Return an object as the parts of a message, its large buffers where they are."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(thing, 5, buffer_callback=buffers.append)
    return [head, *(buffer.raw() for buffer in buffers)]


def receive(socket: zmq.Socket) -> Any:
    """Receive an object, whose buffers stay in the parts that came."""
    head, *parts = socket.recv_multipart(copy=False)
    return pickle.loads(head.buffer, buffers=[part.buffer for part in parts])
