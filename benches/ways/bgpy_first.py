"""bgpy: the first value of a stream, and the small call that it is compared with."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, ClassVar

from .bgpy_calls import SameHost
from .bgpy_flows import TASKS, Aio
from .way import Act


class Call(SameHost):
    """A small call by `Client.call`."""

    title = "bgpy, call"
    tasks = TASKS

    def call(self, data: bytes) -> bytes:
        return self.client.call({"data": data})


class First(SameHost):
    """The first value of `Client.stream`; the rest is read while the clock stands."""

    title = "bgpy, first of one value"
    tasks = TASKS
    args: ClassVar[dict[str, float]] = {"stream": 1}
    reads = 1

    def call(self, data: bytes) -> bytes:
        with self.client.stream(self.args) as stream:
            return next(stream)

    def check(self, data: bytes, act: Act = Act.ECHO) -> None:
        self.client.call({"hold": data})
        super().check(data, act)

    def times(self, data: Any, count: int, act: Act = Act.ECHO) -> list[int]:
        times = []
        for _ in range(count):
            start = perf_counter_ns()
            stream = self.client.stream(self.args)
            for _ in range(self.reads):
                next(stream)
            times.append(perf_counter_ns() - start)
            for _value in stream:
                pass
        return times


class FirstOfMany(First):
    """The task sends more values at once."""

    title = "bgpy, first of 100 values"
    args: ClassVar = {"stream": 100}


class FirstThenCompute(First):
    """The task computes the next value in Python."""

    title = "bgpy, first value, then the task computes for 2 ms"
    args: ClassVar = {"values": 1, "compute": 0.002}


class SecondThenCompute(First):
    """The second value, which follows the first at once, of a task that then computes."""

    title = "bgpy, first two values, then the task computes for 2 ms"
    args: ClassVar = {"values": 2, "compute": 0.002}
    reads = 2


class AioCall(Aio):
    """A small call by `bgpy.aio`."""

    title = "bgpy.aio, call"

    def times(self, data: Any, count: int, act: Act = Act.ECHO) -> list[int]:
        return self.runner.run(self.timed(data, count))

    async def timed(self, data: Any, count: int) -> list[int]:
        """Do what `times` does, in the event loop."""
        times = []
        for _ in range(count):
            start = perf_counter_ns()
            await self.aio.call({"data": data})
            times.append(perf_counter_ns() - start)
        return times


class AioFirst(Aio):
    """The first value of a stream of `bgpy.aio`."""

    title = "bgpy.aio, first of one value"

    def check(self, data: bytes, act: Act = Act.ECHO) -> None:
        super().check(data, Act.STREAM)

    def times(self, data: Any, count: int, act: Act = Act.ECHO) -> list[int]:
        return self.runner.run(self.timed(count))

    async def timed(self, count: int) -> list[int]:
        """Do what `times` does, in the event loop."""
        times = []
        for _ in range(count):
            start = perf_counter_ns()
            stream = self.aio.stream({"stream": 1})
            await anext(stream)
            times.append(perf_counter_ns() - start)
            async for _value in stream:
                pass
        return times
