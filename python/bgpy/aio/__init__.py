"""Clients for asyncio: `connect` and `Client`, with the methods of the blocking ones to await.

A connection is part of the event loop, without a thread of its own. Only finding a server and
shaking hands with it, once a connection, runs on a thread: it looks into files and computes a key.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any

from .. import _bgpy, _jobs
from ..errors import CallTimeout, ServerStopping
from ._connection import Call, Connection, Opening
from ._job import Job

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from types import TracebackType
    from typing import Self

    from .._types import InitTask, LogLevel, Status, Task

__all__ = ["Call", "Client", "Job", "Stream", "connect"]

WINDOW = 1 << 20


class Stream:
    """The responses of a call, as `Client.stream` returns them: an asynchronous iterator.

    Leaving the loop early cancels the call when the stream is closed or dropped: use it in an
    ``async with`` block to be sure when.
    """

    def __init__(
        self,
        client: Client,
        args: object,
        timeout: float | None,
        on_progress: object,
        window: int,
        method: str | None = None,
    ) -> None:
        self._client = client
        self._begin = (args, window, on_progress, method)
        # What the generator has returned, once the stream has ended.
        self.result: Any = None
        self._timeout = timeout
        self._connection: Connection | None = None
        self._id = 0
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._is_over:
            raise StopAsyncIteration
        if self._timeout is None:
            step = await self._next()
        else:
            try:
                async with asyncio.timeout(self._timeout):
                    step = await self._next()
            except TimeoutError:
                message = f"{self._client} has not responded within {self._timeout} s"
                raise CallTimeout(message) from None
        if len(step) != 1:
            self._is_over = True
            self.result = step[1] if step else None
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

    It connects on its first call and keeps the connection, one in each event loop that uses it. If
    the connection is lost, the next call connects again.
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
        self._connections: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Opening] = (
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
        """Call `exec_task` and return once the call is under way, with a future of its response."""
        return (await self._connected()).begin("EXEC", "first", args, on_progress)

    async def submit(
        self,
        args: object,
        *,
        key: str | None = None,
        keep: float | None = None,
        timeout: float | None = None,
    ) -> Job:
        """Submit a job, a call of `exec_task` that lives on; see `bgpy.Client.submit`."""
        submit = self._client.submit
        job = await asyncio.to_thread(submit, args, key=key, keep=keep, timeout=timeout)
        return Job(self, job)

    async def job(self, job_id: str, timeout: float | None = None) -> Job:
        """Return a job that was submitted before, perhaps by another process; see `bgpy.job`."""
        return Job(self, await asyncio.to_thread(_jobs.job, job_id, self._client, timeout=timeout))

    async def jobs(self, timeout: float | None = None) -> list[_jobs.JobInfo]:
        """Return the jobs that the server knows, the newest first; see `bgpy.jobs`."""
        return await asyncio.to_thread(_jobs.jobs, self._client, timeout=timeout)

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
        status: Status = await self._limited(self._questioned("status"), timeout)
        return status

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

    async def service(self, cls: type | None = None, timeout: float | None = None) -> Any:
        """Return a proxy of the object that the server has: its methods are awaited.

        Streams are asynchronous iterators, and properties are awaited as well; see
        `bgpy.Client.service`.
        """
        from ._proxy import proxy

        table = await asyncio.to_thread(self._client._methods, timeout)
        return proxy(self, table, cls)

    async def _asked(
        self,
        kind: str,
        want: str,
        args: object,
        on_progress: object,
        method: str | None = None,
    ) -> Any:
        while True:
            connection = await self._connected()
            try:
                return await connection.begin(kind, want, args, on_progress, method)
            except ServerStopping:
                # If another server takes its place, the call is made there.
                if kind == "EXIT" or not await self._succeeded(connection):
                    raise

    async def _questioned(self, question: str) -> Any:
        return await (await self._connected()).ask(question)

    async def _limited(self, awaitable: Any, timeout: float | None) -> Any:
        if timeout is None:
            return await awaitable
        try:
            async with asyncio.timeout(timeout):
                return await awaitable
        except TimeoutError as error:
            if isinstance(error, CallTimeout):
                raise
            message = (
                f"{self._client} has not answered within {timeout} s, so the call is cancelled"
            )
            raise CallTimeout(message) from None

    async def _connected(self) -> Connection:
        """Return the connection of this event loop, opened if there is none."""
        return await self._opening().get()

    def _opening(self) -> Opening:
        """Return the place of the connection of this event loop, another one after `close`."""
        loop = asyncio.get_running_loop()
        opening = self._connections.get(loop)
        if opening is None:
            opening = self._connections[loop] = Opening(self._client, loop)
        return opening

    async def _succeeded(self, refused: Connection) -> bool:
        """Wait for the server that takes the place of one that ends; False if none does."""
        refused.close()
        return await asyncio.to_thread(refused.link.has_successor)


async def connect(
    target: str | Client,
    cls: type | None = None,
    *,
    token: str | None = None,
    auth: bool = True,
    allow_pickle: bool = True,
    max_message_bytes: int | None = None,
    timeout: float | None = None,
) -> Any:
    """Connect to a server: to its object with the class `cls`; see `bgpy.connect`."""
    if isinstance(target, Client):
        client = target
    else:
        client = Client(
            target,
            token=token,
            auth=auth,
            allow_pickle=allow_pickle,
            max_message_bytes=max_message_bytes,
        )
    if cls is not None:
        return await client.service(cls, timeout)
    await client._limited(client._connected(), timeout)
    return client
