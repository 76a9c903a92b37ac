"""A connection as part of an event loop."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .. import _bgpy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._jobs import Job

# The servers that wait for what a task does, if it runs a callback.
_waiting: ContextVar[_bgpy.WaitingServers | None] = ContextVar("bgpy_waiting", default=None)


class Call(asyncio.Future[Any]):
    """A call under way, as `Client.begin` returns it: a future whose result is the response.

    If it is cancelled, or the task that awaits it, the call is cancelled on the server.
    """

    _connection: Connection | None = None
    _id = 0

    def cancel(self, msg: object = None) -> bool:
        """Cancel the call: it does not run, or `Cancelled` is raised in its task."""
        is_cancelled = super().cancel(msg)
        if is_cancelled and self._connection is not None:
            self._connection.cancel(self._id)
        return is_cancelled


class Opening:
    """The connection of a client in an event loop: open, being opened, or to be opened."""

    def __init__(self, client: _bgpy.Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self._under_way: asyncio.Future[_bgpy.AsyncLink] | None = None
        self.connection: Connection | None = None

    async def get(self) -> Connection:
        while self.connection is None or not self.connection.is_usable():
            if self._under_way is None:
                self._under_way = asyncio.ensure_future(
                    asyncio.to_thread(_bgpy.AsyncLink.open, self._client)
                )
                self._under_way.add_done_callback(self._opened)
            # Who is cancelled meanwhile must not cancel it for the others.
            await asyncio.shield(self._under_way)
        return self.connection

    def _opened(self, opened: asyncio.Future[_bgpy.AsyncLink]) -> None:
        self._under_way = None
        if not opened.cancelled() and opened.exception() is None:
            self.connection = Connection(opened.result(), self._loop)


class Connection:
    """A connection in an event loop."""

    def __init__(self, link: _bgpy.AsyncLink, loop: asyncio.AbstractEventLoop) -> None:
        self.link = link
        self.loop = loop
        self._is_flush_due = False
        self._is_writing = False
        self._is_closed = False
        self._watch: asyncio.TimerHandle | None = None
        self._descriptor = link.fileno()
        self._running: set[asyncio.Future[Any]] = set()
        loop.add_reader(self._descriptor, self._read)

    def begin(
        self,
        kind: str,
        want: str,
        args: object,
        on_progress: object,
        method: str | None = None,
    ) -> Call:
        call = Call(loop=self.loop)
        call._id = self.link.call(call, kind, want, args, on_progress, method)
        call._connection = self
        self.has_queued()
        return call

    def await_job(self, job: Job[Any], on_progress: object) -> Call:
        call = Call(loop=self.loop)
        is_of_method = job._is_of_method
        call._id = self.link.await_job(call, job.id, is_of_method, on_progress)
        call._connection = self
        self.has_queued()
        return call

    def ask(self, question: str) -> asyncio.Future[Any]:
        future = self.loop.create_future()
        self.link.ask(future, question)
        self.has_queued()
        return future

    def cancel(self, call: int) -> None:
        """Cancel a call that nobody waits for any more."""
        self.link.cancel(call)
        self.has_queued()

    def has_queued(self) -> None:
        """Write soon: what is queued until then leaves in one write."""
        if not self._is_flush_due and not self._is_closed:
            self._is_flush_due = True
            self.loop.call_soon(self._flush)
        if self._watch is None and not self._is_closed:
            self._look(is_first=True)

    def call_soon(self, act: Callable[..., object], *arguments: object) -> None:
        """Call from any thread, if the loop still runs."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(act, *arguments)

    def is_usable(self) -> bool:
        return not self._is_closed and self.link.is_usable()

    def close(self) -> None:
        """Close the connection; calls under way fail."""
        if self._is_closed:
            return
        self._is_closed = True
        self.loop.remove_reader(self._descriptor)
        self.loop.remove_writer(self._descriptor)
        if self._watch is not None:
            self._watch.cancel()
        self.link.fail(self)

    def report(self, report: Callable[[_bgpy.Progress], object], progress: _bgpy.Progress) -> None:
        """Tell a caller how far its call has come."""

        async def run() -> object:
            return await _awaited(report(progress))

        self._keep(run())

    def run_callback(
        self,
        call: int,
        number: int,
        waiting: _bgpy.WaitingServers,
        function: Callable[..., object],
        arguments: tuple[object, ...],
        keywords: dict[str, object],
    ) -> None:
        """Run a function that a task calls, and send its result."""
        _bgpy.use_waiting_servers(_waiting.get)

        async def run() -> object:
            # In the context of this task only.
            _waiting.set(waiting)
            try:
                return await _awaited(waiting.call(function, arguments, keywords))
            finally:
                waiting.set_served()

        running = self._keep(run())
        running.add_done_callback(lambda ran: self._return(call, number, ran))

    def _keep(self, coroutine: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        """Run a coroutine as a task. The event loop does not keep it from being collected."""
        running = self.loop.create_task(coroutine)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return running

    def _return(self, call: int, number: int, ran: asyncio.Future[Any]) -> None:
        if ran.cancelled():
            self.link.raise_from_callback(call, number, asyncio.CancelledError())
        elif (raised := ran.exception()) is not None:
            self.link.raise_from_callback(call, number, raised)
        else:
            self.link.return_from_callback(call, number, ran.result())
        self.has_queued()

    def _read(self) -> None:
        try:
            self.link.read(self)
        except Exception:
            # Each call that is under way gets the error.
            self.close()

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._is_closed:
            return
        try:
            is_flushed = self.link.flush()
        except Exception:
            self.close()
            return
        if is_flushed and self._is_writing:
            self._is_writing = False
            self.loop.remove_writer(self._descriptor)
        elif not is_flushed and not self._is_writing:
            self._is_writing = True
            self.loop.add_writer(self._descriptor, self._flush)

    def _look(self, is_first: bool = False) -> None:
        """Look after a server that is silent while calls are under way."""
        self._watch = None
        if self._is_closed or (self.link.is_idle() and not is_first):
            return
        try:
            again = self.link.watch(is_first)
        except Exception:
            self.close()
            return
        self._watch = self.loop.call_later(again, self._look)


async def _awaited(result: object) -> object:
    return await result if asyncio.iscoroutine(result) else result
