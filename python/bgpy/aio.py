"""Clients for asyncio: `connect` and `Client`, with the methods of the blocking ones to await.

A connection is part of the event loop, without a thread of its own. Only finding a server and shaking
hands with it, once a connection, runs on a thread, because it looks into files and computes a key.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any

from . import _bgpy
from .errors import CallTimeout, ServerStopping

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from types import TracebackType
    from typing import Self

    from ._types import InitTask, LogLevel, Status, Task

__all__ = ["Call", "Client", "Stream", "connect"]

WINDOW = 1 << 20


class Call(asyncio.Future[Any]):
    """A call under way, as `Client.begin` returns it: a future whose result is the response.

    If it is cancelled, or the task that awaits it, the call is cancelled on the server.
    """

    _connection: _Connection | None = None
    _id = 0

    def cancel(self, msg: object = None) -> bool:
        """Cancel the call: if it waits, it does not run; if it runs, `Cancelled` is raised in its task."""
        is_cancelled = super().cancel(msg)
        if is_cancelled and self._connection is not None:
            self._connection.cancel(self._id)
        return is_cancelled


class Stream:
    """The responses of a call, as `Client.stream` returns them: an asynchronous iterator.

    Leaving the loop early cancels the call when the stream is closed or dropped: use it in an
    ``async with`` block to be sure when.
    """

    def __init__(
        self, client: Client, args: object, timeout: float | None, on_progress: object, window: int
    ) -> None:
        self._client = client
        self._begin = (args, window, on_progress)
        self._timeout = timeout
        self._connection: _Connection | None = None
        self._id = 0
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._is_over:
            raise StopAsyncIteration
        try:
            async with asyncio.timeout(self._timeout):
                step = await self._next()
        except TimeoutError:
            message = f"{self._client} has not responded within {self._timeout} s"
            raise CallTimeout(message) from None
        if not step:
            self._is_over = True
            raise StopAsyncIteration
        return step[0]

    async def _next(self) -> tuple[Any, ...]:
        if self._connection is None:
            connection = await self._client._connected()
            self._id = connection.link.stream(*self._begin)
            self._connection = connection
            connection.has_queued()
        while True:
            waiter = self._connection.loop.create_future()
            try:
                step = self._connection.link.step(self._connection, self._id, waiter)
            except BaseException:
                self._is_over = True
                raise
            # What was taken makes room for more.
            self._connection.has_queued()
            if step is not None:
                return step
            await waiter

    async def aclose(self) -> None:
        """Cancel the call unless it has ended. Nothing more is read."""
        self._close()

    def _close(self) -> None:
        if self._connection is not None and not self._is_over:
            self._connection.cancel(self._id)
        self._is_over = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._close()

    def __del__(self) -> None:
        connection = self._connection
        if connection is not None and not self._is_over:
            connection.call_soon(connection.cancel, self._id)


class Client:
    """A client of one server, for asyncio. Its parameters are those of `bgpy.Client`.

    It connects on its first call and keeps the connection, one in each event loop that uses it. If the
    connection is lost, the next call connects again.
    """

    def __init__(
        self,
        host: str,
        port: int | None = None,
        token: str | None = None,
        log_level: LogLevel = "INFO",
        log_file: str | PathLike[str] | None = None,
        *,
        auth: bool = True,
        allow_pickle: bool = True,
        max_message_bytes: int | None = None,
    ) -> None:
        self._client = _bgpy.Client(
            host,
            port,
            token,
            log_level,
            log_file,
            auth=auth,
            allow_pickle=allow_pickle,
            max_message_bytes=max_message_bytes,
        )
        self._connections: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Opening] = (
            weakref.WeakKeyDictionary()
        )

    async def call(
        self,
        args: object,
        timeout: float | None = None,
        *,
        on_progress: Callable[[_bgpy.Progress], object] | None = None,
    ) -> Any:
        """Call `exec_task` and return its first response; see `bgpy.Client.call`.

        If the awaiting task is cancelled, or `timeout` seconds have passed, the call is cancelled.
        """
        return await self._limited(self._asked("EXEC", "first", args, on_progress), timeout)

    async def execute(
        self, exec_args: object, await_response: bool = False, timeout: float | None = None
    ) -> Any:
        """Call `exec_task`, and by default return once the server has accepted the call."""
        want = "raw" if await_response else "accepted"
        return await self._limited(self._asked("EXEC", want, exec_args, None), timeout)

    async def terminate(
        self,
        exit_args: object = None,
        await_response: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Run `exit_task` and stop the server, after the calls that it has already accepted."""
        exit_args = {} if exit_args is None else exit_args
        want = "raw" if await_response else "accepted"
        return await self._limited(self._asked("EXIT", want, exit_args, None), timeout)

    async def initialize(
        self,
        init_task: InitTask,
        exec_task: Task,
        exit_task: Task | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Send the tasks to the server and wait until ``init_task`` has run."""
        return await asyncio.to_thread(
            self._client.initialize, init_task, exec_task, exit_task, timeout
        )

    async def begin(
        self, args: object, *, on_progress: Callable[[_bgpy.Progress], object] | None = None
    ) -> Call:
        """Call `exec_task` and return as soon as the call is under way, with a future of its response."""
        return (await self._connected()).begin("EXEC", "first", args, on_progress)

    def stream(
        self,
        args: object,
        timeout: float | None = None,
        *,
        on_progress: Callable[[_bgpy.Progress], object] | None = None,
        window: int = WINDOW,
    ) -> Stream:
        """Call `exec_task` and return an asynchronous iterator over all of its responses."""
        return Stream(self, args, timeout, on_progress, window)

    async def status(self, timeout: float | None = None) -> Status:
        """Return the status of the server, even while a task runs; see `bgpy.Client.status`."""
        return await self._limited(self._questioned("status"), timeout)

    async def ping(self, timeout: float | None = None) -> None:
        """Check that the server responds, even while a task runs."""
        await self._limited(self._questioned("ping"), timeout)

    async def logs(self, lines: int = 100, timeout: float | None = None) -> str:
        """Return the end of the server's log, with everything that its tasks print."""
        return await asyncio.to_thread(self._client.logs, lines, False, timeout)

    async def close(self) -> None:
        """Close the connection of this event loop. The server keeps running."""
        opening = self._connections.pop(asyncio.get_running_loop(), None)
        if opening is not None and opening.connection is not None:
            opening.connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"bgpy.aio.{self._client!r}"

    async def _asked(self, kind: str, want: str, args: object, on_progress: object) -> Any:
        while True:
            connection = await self._connected()
            try:
                return await connection.begin(kind, want, args, on_progress)
            except ServerStopping:
                # If another server takes its place, the call is made there.
                if kind == "EXIT" or not await self._succeeded(connection):
                    raise

    async def _questioned(self, question: str) -> Any:
        return await (await self._connected()).ask(question)

    async def _limited(self, awaitable: Any, timeout: float | None) -> Any:
        try:
            async with asyncio.timeout(timeout):
                return await awaitable
        except TimeoutError as error:
            if isinstance(error, CallTimeout):
                raise
            message = f"{self._client} has not answered within {timeout} s, so the call is cancelled"
            raise CallTimeout(message) from None

    async def _connected(self) -> _Connection:
        """Return the connection of this event loop, opened if there is none."""
        loop = asyncio.get_running_loop()
        opening = self._connections.get(loop)
        if opening is None:
            opening = self._connections[loop] = _Opening(self._client, loop)
        return await opening.get()

    async def _succeeded(self, refused: _Connection) -> bool:
        """Wait for the server that takes the place of one that ends; False if none does."""
        refused.close()
        return await asyncio.to_thread(refused.link.has_successor)


class _Opening:
    """The connection of a client in an event loop: open, being opened, or to be opened."""

    def __init__(self, client: _bgpy.Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self._under_way: asyncio.Future[_bgpy.AsyncLink] | None = None
        self.connection: _Connection | None = None

    async def get(self) -> _Connection:
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
            self.connection = _Connection(opened.result(), self._loop)


class _Connection:
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

    def begin(self, kind: str, want: str, args: object, on_progress: object) -> Call:
        call = Call(loop=self.loop)
        call._id = self.link.call(call, kind, want, args, on_progress)
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
        self._run(report, (progress,), {})

    def run_callback(
        self,
        call: int,
        number: int,
        function: Callable[..., object],
        arguments: tuple[object, ...],
        keywords: dict[str, object],
    ) -> None:
        """Run a function that a task calls, and send its result."""
        running = self._run(function, arguments, keywords)
        running.add_done_callback(lambda ran: self._return(call, number, ran))

    def _run(
        self,
        function: Callable[..., object],
        arguments: tuple[object, ...],
        keywords: dict[str, object],
    ) -> asyncio.Future[Any]:
        async def run() -> object:
            result = function(*arguments, **keywords)
            return await result if asyncio.iscoroutine(result) else result

        running = self.loop.create_task(run())
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


async def connect(
    target: str,
    token: str | None = None,
    *,
    auth: bool = True,
    allow_pickle: bool = True,
    max_message_bytes: int | None = None,
    timeout: float | None = None,
) -> Client:
    """Connect to a server; see `bgpy.connect`."""
    client = Client(
        target,
        token=token,
        auth=auth,
        allow_pickle=allow_pickle,
        max_message_bytes=max_message_bytes,
    )
    await client._limited(client._connected(), timeout)
    return client
