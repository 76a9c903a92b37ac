"""Jobs for asyncio."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Literal

from .. import _jobs
from ..errors import BgpyError, CallTimeout, ConnectionLost, ServerStopping

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .. import Progress
    from . import Client

# How many seconds a wait for a job lasts at least until it is begun again on another connection.
_AGAIN_AFTER = 1.0


class Job:
    """A call that lives on in the server without its caller; see `bgpy.Job`.

    ``await job`` returns its result. If the awaiting task is cancelled, the job goes on.

    Attributes
    ----------
    id : str
        Its name, unique to the server, or the key that it was submitted with.
    """

    def __init__(self, client: Client, job: _jobs.Job[Any]) -> None:
        self._client = client
        self._job = job
        self.id = job.id

    async def result(
        self,
        timeout: float | None = None,
        *,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Any:
        """Wait for the end of the job, and return its result; see `bgpy.Job.result`."""
        try:
            async with asyncio.timeout(timeout):
                return await self._awaited(on_progress)
        except TimeoutError as late:
            if isinstance(late, CallTimeout):
                raise
            message = f"{self._job} is not over after {timeout} s: it goes on"
            raise CallTimeout(message) from None

    async def _awaited(self, on_progress: Callable[[Progress], object] | None) -> Any:
        opening = self._client._opening()
        cut: BgpyError | None = None
        cut_at = 0.0
        while True:
            try:
                connection = await opening.get()
            except ServerStopping:
                if cut is None:
                    raise
                # The job was there, so its server has not refused it.
                raise cut from None
            try:
                return await connection.await_job(self._job, on_progress)
            except (ConnectionLost, ServerStopping) as error:
                # Whoever waits twice does no harm. A connection that is lost again at once is no
                # accident.
                if self._client._opening() is not opening:
                    # This side has closed it.
                    raise
                if cut is not None and time.monotonic() - cut_at < _AGAIN_AFTER:
                    raise cut from None
                cut, cut_at = error, time.monotonic()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.result().__await__()

    async def info(self, timeout: float | None = None) -> _jobs.JobInfo:
        """Ask the server for what it knows of the job; see `bgpy.Job.info`."""
        return await asyncio.to_thread(self._job.info, timeout)

    async def state(self) -> _jobs.State:
        """Ask how far the job is: queued, running, done, failed, cancelled or lost."""
        return await asyncio.to_thread(lambda: self._job.state)

    async def cancel(
        self, timeout: float | None = 5.0
    ) -> Literal["cancelled", "finished", "running"]:
        """Cancel the job; see `bgpy.Job.cancel`."""
        return await asyncio.to_thread(self._job.cancel, timeout)

    def __repr__(self) -> str:
        return f"<async {repr(self._job)[1:]}"
