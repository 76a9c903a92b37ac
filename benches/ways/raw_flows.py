"""What the system itself costs with many messages in flight: bare bytes over a Unix socket.

A request is a head; what it asks for follows, or is sent back.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path
from typing import Any

from .flow import Flow, ServedFlow, ServedLoopFlow
from .raw import DONE, receive

# What is asked for, the size of a message in bytes, and how many messages.
HEAD = struct.Struct("<BQQ")
ECHO, HOLD, STREAM = range(3)


class Asyncio(ServedLoopFlow):
    """Messages that asyncio's streams write and read one by one, on both sides."""

    title = "raw Python asyncio streams, Unix"

    async def join(self) -> None:
        self.reader, self.writer = await asyncio.open_unix_connection(self.address)

    async def gathered(self, data: bytes, count: int) -> list[bytes]:
        self.writer.write(HEAD.pack(ECHO, len(data), count))
        for _ in range(count):
            self.writer.write(data)
        return [await self.reader.readexactly(len(data)) for _ in range(count)]

    async def streamed(self, count: int) -> tuple[int, bytes]:
        self.writer.write(HEAD.pack(STREAM, self.size, count))
        value, number = b"", 0
        for _ in range(count):
            value = await self.reader.readexactly(self.size)
            number += 1
        return number, value

    def hold(self, thing: bytes) -> None:
        self.size = len(thing)
        self.runner.run(self.held(thing))

    async def held(self, data: bytes) -> None:
        """Have the server hold a message."""
        self.writer.write(HEAD.pack(HOLD, len(data), 1) + data)
        await self.reader.readexactly(len(DONE))

    async def leave(self) -> None:
        self.writer.close()

    @classmethod
    def serve(cls, directory: Path) -> None:
        asyncio.run(serve(str(directory / cls.__name__)))


async def serve(path: str) -> None:
    """Answer one connection after the other."""
    server = await asyncio.start_unix_server(answer, path)
    print(path, flush=True)
    await server.serve_forever()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of a connection."""
    held = b""
    while True:
        try:
            act, size, count = HEAD.unpack(await reader.readexactly(HEAD.size))
        except asyncio.IncompleteReadError:
            return
        if act == ECHO:
            for _ in range(count):
                writer.write(await reader.readexactly(size))
        elif act == HOLD:
            held = await reader.readexactly(size)
            writer.write(DONE)
        else:
            for _ in range(count):
                writer.write(held)
                await writer.drain()


class Sockets(ServedFlow):
    """A stream of messages by blocking sockets, each into the same memory."""

    title = "raw Python Unix, warm buffer"

    def connect(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.address)

    def hold(self, thing: Any) -> None:
        data = memoryview(thing).cast("B")
        self.memory = memoryview(bytearray(len(data)))
        self.socket.sendall(HEAD.pack(HOLD, len(data), 1))
        self.socket.sendall(data)
        self.socket.recv(len(DONE))

    def stream(self, data: Any, count: int) -> tuple[int, memoryview]:
        self.socket.sendall(HEAD.pack(STREAM, len(self.memory), count))
        number = 0
        while number < count and receive(self.socket, self.memory):
            number += 1
        return number, self.memory

    def close(self) -> None:
        self.socket.close()

    @classmethod
    def serve(cls, directory: Path) -> None:
        path = str(directory / cls.__name__)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        print(path, flush=True)
        connection, _ = listener.accept()
        held = memoryview(bytearray())
        while head := connection.recv(HEAD.size, socket.MSG_WAITALL):
            act, size, count = HEAD.unpack(head)
            if act == HOLD:
                held = memoryview(bytearray(size))
                receive(connection, held)
                connection.sendall(DONE)
            else:
                for _ in range(count):
                    connection.sendall(held)


class Memcpy(Flow):
    """No other process at all: each value is copied into memory that was written to before."""

    title = "one memcpy, warm buffer"

    def open(self) -> None:
        return

    def hold(self, thing: Any) -> None:
        self.held = memoryview(thing).cast("B")
        self.memory = memoryview(bytearray(len(self.held)))

    def stream(self, data: Any, count: int) -> tuple[int, memoryview]:
        for _ in range(count):
            self.memory[:] = self.held
        return count, self.memory
