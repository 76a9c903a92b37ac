"""gRPC aio on both sides, with pickle: unary calls in flight, and a stream of the server."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from .flow import ServedLoopFlow
from .grpc_calls import OPTIONS, SERVICE, dumps


class Aio(ServedLoopFlow):
    """Over a Unix socket."""

    title = "gRPC aio + pickle, Unix"

    async def join(self) -> None:
        self.channel = grpc.aio.insecure_channel(self.address, OPTIONS)
        self.echo, self.keep = (
            self.channel.unary_unary(f"/{SERVICE}/{name}", dumps, pickle.loads)
            for name in ("echo", "hold")
        )
        self.read = self.channel.unary_stream(f"/{SERVICE}/stream", dumps, pickle.loads)

    async def gathered(self, data: Any, count: int) -> list[Any]:
        return await asyncio.gather(*(self.echo(data) for _ in range(count)))

    async def streamed(self, count: int) -> tuple[int, Any]:
        last, number = None, 0
        async for value in self.read(count):
            last = value
            number += 1
        return number, last

    def hold(self, thing: Any) -> None:
        self.runner.run(self.held(thing))

    async def held(self, thing: Any) -> None:
        """Have the server hold an object."""
        await self.keep(thing)

    async def leave(self) -> None:
        await self.channel.close()

    @classmethod
    def serve(cls, directory: Path) -> None:
        asyncio.run(serve(f"unix:{directory}/grpc"))


async def serve(address: str) -> None:
    """Serve at an address."""
    held: Any = None

    async def echo(data: Any, _context: object) -> Any:
        return data

    async def hold(thing: Any, _context: object) -> None:
        nonlocal held
        held = thing

    async def stream(count: int, _context: object) -> AsyncIterator[Any]:
        for _ in range(count):
            yield held

    unary, streaming = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    handlers = {
        "echo": unary(echo, pickle.loads, dumps),
        "hold": unary(hold, pickle.loads, dumps),
        "stream": streaming(stream, pickle.loads, dumps),
    }
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(address)
    await server.start()
    print(address, flush=True)
    await server.wait_for_termination()
