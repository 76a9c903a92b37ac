"""bgpy with many calls in flight, or with many responses to one call."""

from __future__ import annotations

import asyncio
from typing import Any

import bgpy_server
import flow_tasks
from bgpy import aio

from .bgpy_calls import Encrypted, SameHost
from .flow import Flow, LoopFlow

TASKS = flow_tasks.init_task, flow_tasks.exec_task, flow_tasks.exit_task


class Blocking(Flow, SameHost):
    """`Client.begin` and `Client.stream`, as a script on the server's machine uses them."""

    title = "bgpy, same host"
    tasks = TASKS

    def pipeline(self, data: bytes, count: int) -> list[bytes]:
        begin = self.client.begin
        calls = [begin({"data": data}) for _ in range(count)]
        return [call.result() for call in calls]

    def stream(self, data: Any, count: int) -> tuple[int, Any]:
        last, number = None, 0
        for value in self.client.stream({"stream": count}):
            last = value
            number += 1
        return number, last

    def hold(self, thing: Any) -> None:
        self.client.call({"hold": thing})


class BlockingEncrypted(Blocking, Encrypted):
    """The same, as a script on another machine uses them."""

    title = "bgpy, TCP encrypted"


class Aio(LoopFlow, SameHost):
    """`Client.begin` and `Client.stream` of `bgpy.aio`."""

    title = "bgpy.aio, same host"
    tasks = TASKS
    tcp = False

    def open(self) -> None:
        super().open()
        self.runner.run(self.join())

    async def join(self) -> None:
        """Connect from the event loop, and check the kind of connection."""
        server = self.server
        self.aio = aio.Client(bgpy_server.HOST, server.port, server.token)
        before = bgpy_server.connections_tcp(server)
        if self.tcp:
            with bgpy_server.out_of_sight(self.workspace):
                await self.aio.ping()
        else:
            await self.aio.ping()
        if bgpy_server.connections_tcp(server) - before != self.tcp:
            raise RuntimeError(f"the connection {'is not' if self.tcp else 'is'} one of TCP")

    async def gathered(self, data: bytes, count: int) -> list[bytes]:
        calls = [await self.aio.begin({"data": data}) for _ in range(count)]
        return await asyncio.gather(*calls)

    async def streamed(self, count: int) -> tuple[int, Any]:
        last, number = None, 0
        async for value in self.aio.stream({"stream": count}):
            last = value
            number += 1
        return number, last

    def hold(self, thing: Any) -> None:
        self.client.call({"hold": thing})

    async def leave(self) -> None:
        await self.aio.close()


class AioEncrypted(Aio):
    """`bgpy.aio`, as a script on another machine uses it."""

    title = "bgpy.aio, TCP encrypted"
    tcp = True


class AioGather(Aio):
    """`bgpy.aio`: `call` in `asyncio.gather`, so that each call is a task of the loop."""

    title = "bgpy.aio, same host, call in gather"

    async def gathered(self, data: bytes, count: int) -> list[bytes]:
        call = self.aio.call
        return await asyncio.gather(*(call({"data": data}) for _ in range(count)))
