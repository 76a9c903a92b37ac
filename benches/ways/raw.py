"""What the system itself costs: bare sockets in Python, and copies in memory."""

from __future__ import annotations

import pickle
import socket
import struct
from abc import abstractmethod
from pathlib import Path
from typing import Any

from .way import Act, Served, Shelf, Way

READ_BYTES = 4096
SIZE_BYTES = 8
# Of what is asked for: whether it is to be sent back, and the length of what follows.
HEAD = struct.Struct("<?Q")
DONE = b"."


class Raw(Served):
    """Small messages: one read is one message."""

    def connect(self) -> None:
        self.socket = self.connected()

    def call(self, data: bytes) -> bytes:
        self.socket.sendall(data)
        return self.socket.recv(READ_BYTES)

    def close(self) -> None:
        self.socket.close()

    @abstractmethod
    def connected(self) -> socket.socket:
        """Return a connection to `address`."""

    @classmethod
    @abstractmethod
    def listen(cls, directory: Path) -> tuple[socket.socket, str]:
        """Return a listening socket and its address."""

    @classmethod
    def serve(cls, directory: Path) -> None:
        listener, address = cls.listen(directory)
        print(address, flush=True)
        connection, _ = listener.accept()
        if connection.family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cls.echo(connection)

    @staticmethod
    def echo(connection: socket.socket) -> None:
        while data := connection.recv(READ_BYTES):
            connection.sendall(data)


class Tcp(Raw):
    """Small messages over TCP."""

    title = "raw Python TCP echo"

    def connected(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", int(self.address)))
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    @classmethod
    def listen(cls, directory: Path) -> tuple[socket.socket, str]:
        listener = socket.create_server(("127.0.0.1", 0))
        return listener, str(listener.getsockname()[1])


class Unix(Raw):
    """Small messages over a Unix socket."""

    title = "raw Python Unix echo"

    def connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.address)
        return connection

    @classmethod
    def listen(cls, directory: Path) -> tuple[socket.socket, str]:
        path = str(directory / cls.__name__)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        return listener, path


class Bulk(Raw):
    """Large messages: their size once, then one after the other, each into the same memory."""

    def check(self, data: Any, act: Act = Act.ECHO) -> None:
        self.socket.sendall(len(data).to_bytes(SIZE_BYTES))
        self.memory = memoryview(bytearray(len(data)))
        super().check(data, act)

    def call(self, data: bytes) -> memoryview:
        self.socket.sendall(data)
        receive(self.socket, self.memory)
        return self.memory

    @staticmethod
    def echo(connection: socket.socket) -> None:
        size = int.from_bytes(connection.recv(SIZE_BYTES, socket.MSG_WAITALL))
        memory = memoryview(bytearray(size))
        while receive(connection, memory):
            connection.sendall(memory)


class BulkTcp(Bulk, Tcp):
    """Large messages over TCP."""


class BulkUnix(Bulk, Unix):
    """Large messages over a Unix socket."""


class OneWay(Raw):
    """Large messages in one direction, each into the same memory."""

    def check(self, data: Any, act: Act = Act.ECHO) -> None:
        if act is Act.RESPONSE:
            self.memory = memoryview(bytearray(memoryview(data).nbytes))
        super().check(data, act)

    def send(self, thing: Any) -> int:
        data = memoryview(thing).cast("B")
        self.socket.sendall(HEAD.pack(False, len(data)))
        self.socket.sendall(data)
        return len(thing) if self.socket.recv(len(DONE)) == DONE else 0

    def hold(self, thing: Any) -> None:
        """Leave it where it was received."""
        self.send(thing)

    def fetch(self, _like: Any) -> memoryview:
        self.socket.sendall(HEAD.pack(True, 0))
        receive(self.socket, self.memory)
        return self.memory

    @staticmethod
    def echo(connection: socket.socket) -> None:
        memory = memoryview(bytearray())
        while head := connection.recv(HEAD.size, socket.MSG_WAITALL):
            back, size = HEAD.unpack(head)
            if back:
                connection.sendall(memory)
                continue
            if size != len(memory):
                memory = memoryview(bytearray(size))
            receive(connection, memory)
            connection.sendall(DONE)


class OneWayTcp(OneWay, Tcp):
    """Large messages in one direction over TCP."""

    title = "raw Python TCP, warm buffer"


class OneWayUnix(OneWay, Unix):
    """Large messages in one direction over a Unix socket."""

    title = "raw Python Unix, warm buffer"


class Copies(Way):
    """No other process at all: the bytes are copied once for each direction."""

    title = "two copies in memory"

    def open(self) -> None:
        pass

    def call(self, data: bytes) -> bytes:
        return bytes(bytearray(data))


class Memcpy(Way):
    """No other process at all: one copy into memory that was written to before."""

    title = "one memcpy, warm buffer"

    def open(self) -> None:
        self.memory = memoryview(bytearray())

    def call(self, data: Any) -> memoryview:
        data = memoryview(data).cast("B")
        if len(self.memory) != len(data):
            self.memory = memoryview(bytearray(len(data)))
        self.memory[:] = data
        return self.memory

    def send(self, thing: Any) -> int:
        self.call(thing)
        return len(thing)

    def hold(self, thing: Any) -> None:
        self.call(thing)

    def fetch(self, like: Any) -> memoryview:
        return self.call(like)


class Pickle(Way):
    """No other process at all: an object to bytes and back."""

    title = "pickle alone, one process"

    def open(self) -> None:
        self.shelf = Shelf()

    def call(self, data: bytes) -> bytes:
        return pickle.loads(pickle.dumps(data, 5))

    def ask(self, work: str, thing: Any = None) -> Any:
        return self.shelf.ask(*pickle.loads(pickle.dumps((work, thing), 5)))


def receive(connection: socket.socket, memory: memoryview) -> bool:
    """Fill the memory; return False when the peer has left."""
    filled = 0
    while filled < len(memory):
        count = connection.recv_into(memory[filled:])
        if not count:
            return False
        filled += count
    return True
