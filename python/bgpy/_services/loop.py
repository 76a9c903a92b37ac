"""The event loop of a service with ``async def`` methods. It has its turns between the other calls."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

from .. import _bgpy
from .._deadline import deadline

if TYPE_CHECKING:
    from collections.abc import Coroutine

_running: contextvars.ContextVar[_bgpy.AsyncCall | None] = contextvars.ContextVar(
    "bgpy_running", default=None
)

# How long the tasks of a server that ends have, in seconds.
_FAREWELL_S = 5.0


class Loop:
    """An event loop, and the calls that it runs."""

    def __init__(self) -> None:
        self.bell = _bgpy.LoopBell()
        self._loop = asyncio.new_event_loop()
        try:
            self._loop.add_reader(self.bell.fileno(), self._rung)
        except NotImplementedError:
            # The default loop of Windows watches no sockets of others.
            self._loop.close()
            self._loop = asyncio.SelectorEventLoop()
            self._loop.add_reader(self.bell.fileno(), self._rung)
        asyncio.set_event_loop(self._loop)
        self._calls: dict[_bgpy.AsyncCall, asyncio.Task[None]] = {}
        # Streams whose readers have to catch up.
        self._waiting: dict[_bgpy.AsyncCall, asyncio.Future[None]] = {}
        _bgpy.use_loops(_running.get)

    def begin(self, call: _bgpy.AsyncCall, result: Any) -> None:
        """Begin with what a method has returned: a coroutine or an asynchronous generator."""
        context = contextvars.copy_context()
        context.run(_running.set, call)
        left = call.time_left()
        if left is not None:
            context.run(deadline(left).__enter__)
        runs = self._stream(call, result) if hasattr(result, "__anext__") else _value(call, result)
        self._calls[call] = self._loop.create_task(self._whole(call, runs), context=context)

    def drive(self, waits: bool) -> bool:
        """Have a turn: until the bell rings or nothing is left to do, or only for a moment."""
        for call, task in list(self._calls.items()):
            if call.take_cancel():
                task.cancel()
        for call, room in list(self._waiting.items()):
            if call.has_room() is not False and not room.done():
                room.set_result(None)
        if not waits:
            self._loop.call_soon(self._loop.stop)
        self._loop.run_forever()
        return self._has_more()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end, while no calls are made."""
        return self._loop.run_until_complete(coroutine)

    def abandon(self) -> None:
        """Cancel all tasks, and wait a while for their ends."""
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run(asyncio.wait(tasks, timeout=_FAREWELL_S))
        self.run(self._loop.shutdown_asyncgens())

    def _has_more(self) -> bool:
        # Timers are no tasks, and loops do not tell of them by a public name.
        return bool(asyncio.all_tasks(self._loop) or getattr(self._loop, "_scheduled", ()))

    def _rung(self) -> None:
        self.bell.heard()
        self._loop.stop()

    async def _whole(self, call: _bgpy.AsyncCall, runs: Coroutine[Any, Any, None]) -> None:
        try:
            await runs
        except BaseException as error:
            # Also SystemExit and the like, which in a server end a call and nothing else.
            call.fail(error)
        finally:
            del self._calls[call]
            if len(asyncio.all_tasks()) == 1 and not getattr(self._loop, "_scheduled", ()):
                # This was the last task, so the loop has nothing more to do.
                self._loop.stop()

    async def _stream(self, call: _bgpy.AsyncCall, values: Any) -> None:
        try:
            while await self._has_room(call):
                try:
                    value = await values.__anext__()
                except StopAsyncIteration:
                    break
                call.send(value)
        finally:
            if hasattr(values, "aclose"):
                await values.aclose()
        call.end(None)

    async def _has_room(self, call: _bgpy.AsyncCall) -> bool:
        while (room := call.has_room()) is False:
            self._waiting[call] = self._loop.create_future()
            try:
                await self._waiting[call]
            finally:
                del self._waiting[call]
        if room:
            # A generator that awaits nothing lets others have their turn all the same.
            await asyncio.sleep(0)
        return room is True


async def _value(call: _bgpy.AsyncCall, awaitable: Any) -> None:
    call.succeed(await awaitable)
