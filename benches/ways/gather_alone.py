"""No other process: what asyncio itself takes to gather many results in one event loop."""

from __future__ import annotations

import asyncio
from typing import Any

from .flow import LoopFlow


class Futures(LoopFlow):
    """Futures that one callback of the loop sets, and `asyncio.gather`."""

    title = "asyncio.gather of futures, one process"

    async def gathered(self, data: Any, count: int) -> list[Any]:
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(count)]
        loop.call_soon(settle, futures, data)
        return await self.all(futures)

    async def all(self, futures: list[asyncio.Future[Any]]) -> list[Any]:
        """Await all of them."""
        return await asyncio.gather(*futures)

    async def streamed(self, count: int) -> tuple[int, Any]:
        raise NotImplementedError("there is no stream without another process")

    async def leave(self) -> None:
        """There is no connection."""

    def open(self) -> None:
        self.runner = asyncio.Runner()


class Tasks(Futures):
    """The same with a task for each future, as `asyncio.gather` makes of coroutines."""

    title = "asyncio.gather of coroutines, one process"

    async def all(self, futures: list[asyncio.Future[Any]]) -> list[Any]:
        return await asyncio.gather(*(result(future) for future in futures))


async def result(future: asyncio.Future[Any]) -> Any:
    """Await a future."""
    return await future


def settle(futures: list[asyncio.Future[Any]], data: Any) -> None:
    """Set the results of all futures."""
    for future in futures:
        future.set_result(data)
