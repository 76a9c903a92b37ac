"""ZeroMQ's DEALER and ROUTER: requests in flight, matched with their replies by number.

Without a limit on the messages that wait: a ROUTER drops those above it.
"""

from __future__ import annotations

import asyncio
import itertools
import pickle
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio

from .flow import ServedFlow, ServedLoopFlow
from .zeromq import parts, receive, send


class Thread(ServedFlow):
    """Over a Unix socket, from a thread: all requests are sent, then the replies are read."""

    title = "ZeroMQ DEALER/ROUTER + pickle 5, Unix"

    def connect(self) -> None:
        self.socket = unlimited(zmq.Context.instance(), zmq.DEALER)
        self.socket.connect(self.address)

    def pipeline(self, data: Any, count: int) -> list[Any]:
        for number in range(count):
            send(self.socket, (number, "echo", data))
        results = dict(receive(self.socket) for _ in range(count))
        return [results[number] for number in range(count)]

    def stream(self, data: Any, count: int) -> tuple[int, Any]:
        send(self.socket, (0, "stream", count))
        value, number = None, 0
        for _ in range(count):
            _, value = receive(self.socket)
            number += 1
        return number, value

    def hold(self, thing: Any) -> None:
        send(self.socket, (0, "hold", thing))
        receive(self.socket)

    def close(self) -> None:
        self.socket.close()

    @classmethod
    def serve(cls, directory: Path) -> None:
        serve(f"ipc://{directory}/zeromq-thread")


class Asyncio(ServedLoopFlow):
    """The same for asyncio: a coroutine for each request, and a task that reads the replies."""

    title = "ZeroMQ DEALER/ROUTER + pickle 5, asyncio, Unix"

    async def join(self) -> None:
        self.socket = unlimited(zmq.asyncio.Context.instance(), zmq.DEALER)
        self.socket.connect(self.address)
        self.numbers = itertools.count()
        self.waiting: dict[int, asyncio.Future[Any]] = {}

    async def gathered(self, data: Any, count: int) -> list[Any]:
        reading = asyncio.ensure_future(self.read(count))
        results = await asyncio.gather(*(self.request("echo", data) for _ in range(count)))
        await reading
        return results

    async def request(self, work: str, thing: Any) -> Any:
        """Send a request and await its reply."""
        number = next(self.numbers)
        reply = self.waiting[number] = asyncio.get_running_loop().create_future()
        await self.socket.send_multipart(parts((number, work, thing)), copy=False)
        return await reply

    async def read(self, count: int) -> None:
        """Read so many replies."""
        for _ in range(count):
            number, result = await self.reply()
            self.waiting.pop(number).set_result(result)

    async def reply(self) -> Any:
        """Read one reply."""
        head, *more = await self.socket.recv_multipart(copy=False)
        return pickle.loads(head.buffer, buffers=[part.buffer for part in more])

    async def streamed(self, count: int) -> tuple[int, Any]:
        await self.socket.send_multipart(parts((0, "stream", count)), copy=False)
        value, number = None, 0
        for _ in range(count):
            _, value = await self.reply()
            number += 1
        return number, value

    def hold(self, thing: Any) -> None:
        self.runner.run(self.held(thing))

    async def held(self, thing: Any) -> None:
        """Have the server hold an object."""
        await self.socket.send_multipart(parts((0, "hold", thing)), copy=False)
        await self.reply()

    async def leave(self) -> None:
        self.socket.close()

    @classmethod
    def serve(cls, directory: Path) -> None:
        serve(f"ipc://{directory}/zeromq-asyncio")


def unlimited(context: zmq.Context, kind: int) -> zmq.Socket:
    """Return a socket that queues any number of messages."""
    socket = context.socket(kind)
    socket.linger = 0
    socket.set_hwm(0)
    return socket


def serve(address: str) -> None:
    """Echo, hold, and send what is held, for any number of peers."""
    router = unlimited(zmq.Context.instance(), zmq.ROUTER)
    router.bind(address)
    print(router.last_endpoint.decode(), flush=True)
    held: Any = None
    while True:
        peer, head, *more = router.recv_multipart(copy=False)
        buffers = [part.buffer for part in more]
        number, work, thing = pickle.loads(head.buffer, buffers=buffers)
        if work == "hold":
            held = thing
        count = thing if work == "stream" else 1
        value = held if work == "stream" else thing
        for _ in range(count):
            router.send_multipart([peer, *parts((number, value))], copy=False)
