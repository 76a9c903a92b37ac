"""Ways with many calls in flight, or with many responses to one call."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Coroutine
from time import perf_counter_ns
from typing import Any
from zlib import crc32

from .way import Act, Served, Way

CHECKED = 3


class Flow(Way):
    """A way that is measured by the batch: its time, divided by the number of values."""

    def call(self, data: bytes) -> bytes:
        return self.pipeline(data, 1)[0]

    def pipeline(self, data: Any, count: int) -> list[Any]:
        """Have all calls in flight at once, and return their results."""
        raise NotImplementedError("pipelining is not implemented")

    def stream(self, data: Any, count: int) -> tuple[int, Any]:
        """Read a stream of what the server holds; return the number of values and the last one."""
        raise NotImplementedError("streams are not implemented")

    def times(self, data: Any, count: int, act: Act = Act.PIPELINE) -> list[float]:
        """Return the nanoseconds that each of so many values took on average."""
        work = getattr(self, act)
        start = perf_counter_ns()
        work(data, count)
        return [(perf_counter_ns() - start) / count]

    def check(self, data: Any, act: Act = Act.PIPELINE) -> None:
        if act is Act.PIPELINE:
            results = self.pipeline(data, CHECKED)
            good = len(results) == CHECKED
        else:
            self.hold(data)
            count, last = self.stream(data, CHECKED)
            results, good = [last], count == CHECKED
        if not good or any(crc32(result) != crc32(data) for result in results):
            raise ValueError("the results are not what was sent")


class LoopFlow(Flow):
    """A way for asyncio: its event loop stays between the batches."""

    def open(self) -> None:
        self.runner = asyncio.Runner()
        super().open()

    def pipeline(self, data: Any, count: int) -> list[Any]:
        return self.runner.run(self.gathered(data, count))

    def stream(self, data: Any, count: int) -> tuple[int, Any]:
        return self.runner.run(self.streamed(count))

    def close(self) -> None:
        self.runner.run(self.leave())
        self.runner.close()
        super().close()

    @abstractmethod
    def gathered(self, data: Any, count: int) -> Coroutine[Any, Any, list[Any]]:
        """Do what `pipeline` does."""

    @abstractmethod
    def streamed(self, count: int) -> Coroutine[Any, Any, tuple[int, Any]]:
        """Do what `stream` does."""

    @abstractmethod
    async def leave(self) -> None:
        """Close the connection."""


class ServedFlow(Flow, Served):
    """A flow whose server is started by `serve.py`."""


class ServedLoopFlow(LoopFlow, Served):
    """The same for asyncio."""

    def connect(self) -> None:
        self.runner.run(self.join())

    @abstractmethod
    async def join(self) -> None:
        """Connect to `address`."""
