"""Jobs: calls that live on in the server without their caller."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from ._bgpy import Client
from .errors import CallTimeout, ConfigError, JobLost

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from ._bgpy import Progress, Server

R = TypeVar("R")

State = Literal["queued", "running", "done", "failed", "cancelled", "lost"]

# How soon a job that is cancelled is looked at again, in seconds; less and less often.
_LOOK, _LOOK_LEAST = 0.001, 0.05


class JobInfo:
    """What a server tells of a job, at the moment when it was asked.

    Attributes
    ----------
    id : str
        Its name.
    task : str
        What it runs: a method, or ``exec_task``.
    state : str
        ``"queued"``, ``"running"``, ``"done"``, ``"failed"`` or ``"cancelled"``.
    submitted, began, ended : datetime or None
        When that was, in UTC by the server's clock, if it has happened.
    progress : Progress or None
        How far it has come, if it runs and has told so.
    error : str or None
        Why it has failed.
    size : int or None
        The size of its result in bytes, if it has one.
    """

    __slots__ = ("began", "ended", "error", "id", "progress", "size", "state", "submitted", "task")

    def __init__(self, about: dict[str, Any]) -> None:
        self.id: str = about["id"]
        self.task: str = about["task"]
        self.state: State = about["state"]
        self.submitted: datetime = _moment(about["submitted_ms"])
        self.began: datetime | None = about["began_ms"] and _moment(about["began_ms"])
        self.ended: datetime | None = about["ended_ms"] and _moment(about["ended_ms"])
        self.progress: Progress | None = about["progress"]
        self.error: str | None = about["error"]
        self.size: int | None = about["size"]

    def __repr__(self) -> str:
        return f"<JobInfo {_shown(self.id)}: {_shown(self.task)}, {self.state}>"


class Job(Generic[R]):
    """A call that lives on in the server without its caller, as `submit` or `job` returns it.

    It can be pickled, and waited for by any number of threads and processes. Its result can be
    read again and again, until the server has kept it for its time, a day by default, or needs the
    memory for newer ones: it keeps 1 GiB of results. A job is lost when its server ends or fails.

    Attributes
    ----------
    id : str
        Its name, unique to the server, or the key that it was submitted with.
    """

    def __init__(self, client: Client, job_id: str, task: str) -> None:
        self._client = client
        self.id = job_id
        self._task = task

    def result(
        self,
        timeout: float | None = None,
        *,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> R:
        """Wait for the end of the job, and return its result.

        Parameters
        ----------
        timeout : float, optional
            Maximum time to wait, in seconds. The job goes on when it has passed.
        on_progress : callable, optional
            Called with a `Progress` each time that the job tells how far it has come.

        Returns
        -------
        object
            What the method has returned, or the first response of the task.

        Raises
        ------
        CallTimeout
            If the job has not ended within `timeout` seconds.
        CallCancelled
            If the job was cancelled.
        JobLost
            If the server has failed, and was started again, since the job was submitted.
        JobNotFound
            If the server knows the job no more.
        Exception
            What the method has raised, or as for `Client.call`.
        """
        result: R = self._client._await_job(self.id, self._is_of_method, timeout, on_progress)
        return result

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end of the job, and return what `result` raises, or None.

        Parameters
        ----------
        timeout : float, optional
            Maximum time to wait, in seconds.

        Returns
        -------
        BaseException or None
            The exception.

        Raises
        ------
        CallTimeout
            If the job has not ended within `timeout` seconds.
        """
        until = None if timeout is None else time.monotonic() + timeout
        try:
            self.result(timeout)
        except CallTimeout as late:
            if until is None or time.monotonic() < until:
                # The job itself has raised it.
                return late
            if not self.done():
                raise
            return self.exception()
        except Exception as raised:
            return raised
        return None

    def info(self, timeout: float | None = None) -> JobInfo:
        """Ask the server for what it knows of the job.

        Parameters
        ----------
        timeout : float, optional
            Maximum time to wait for the answer, in seconds.

        Returns
        -------
        JobInfo
            State, times, progress and error.

        Raises
        ------
        JobLost, JobNotFound
            If the server does not know the job.
        BgpyError
            As for `Client.call`.
        """
        return JobInfo(self._client._jobs(self.id, timeout)[0])

    @property
    def state(self) -> State:
        """How far the job is: queued, running, done, failed, cancelled or lost.

        It raises `JobNotFound` once the server keeps the job no more.
        """
        try:
            return self.info().state
        except JobLost:
            return "lost"

    @property
    def progress(self) -> Progress | None:
        """How far the job has come, if it runs and has told so."""
        return self.info().progress

    def done(self) -> bool:
        """Whether the job is over, however it has ended.

        It raises `JobNotFound` once the server keeps the job no more.
        """
        return self.state not in ("queued", "running")

    def cancel(self, timeout: float | None = 5.0) -> Literal["cancelled", "finished", "running"]:
        """Cancel the job: if it waits, it does not run; if it runs, `Cancelled` is raised in it.

        Parameters
        ----------
        timeout : float, default 5
            Maximum time to wait for the end of the job, in seconds.

        Returns
        -------
        str
            ``"cancelled"``; ``"finished"`` if the job has ended otherwise; or ``"running"`` if it
            has not ended within `timeout` seconds, or cannot be cancelled while it runs.

        Raises
        ------
        JobLost, JobNotFound
            If the server does not know the job.
        BgpyError
            As for `Client.call`.
        """
        until = None if timeout is None else time.monotonic() + timeout
        if self._client._cancel_job(self.id, timeout) is False:
            return "running"
        pause = _LOOK
        while True:
            left = None if until is None else max(until - time.monotonic(), 0)
            state = self.info().state
            if state not in ("queued", "running"):
                return "cancelled" if state == "cancelled" else "finished"
            if left == 0:
                return "running"
            time.sleep(pause if left is None else min(pause, left))
            pause = min(2 * pause, _LOOK_LEAST)

    @property
    def _is_of_method(self) -> bool:
        return self._task != "exec_task"

    def __reduce__(self) -> Any:
        return _unpickled, (self._client._target, self.id, self._task)

    def __repr__(self) -> str:
        return f"<Job {_shown(self.id)}: {_shown(self._task)} on {self._client._target}>"


class JobList(list[JobInfo]):
    """A list of jobs, which terminals display as a table."""

    def __repr__(self) -> str:
        rows = [("JOB", "STATE", "TASK", "SUBMITTED")]
        for info in self:
            at = info.submitted.astimezone().isoformat(" ", "seconds")
            rows.append((_shown(info.id), info.state, _shown(info.task), at))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)


def job(
    job_id: str,
    target: str | PathLike[str] | Server | Client | object,
    *,
    token: str | None = None,
    auth: bool = True,
    timeout: float | None = None,
) -> Job[Any]:
    """Return a job that was submitted before, perhaps by another process.

    Parameters
    ----------
    job_id : str
        The job's name, or the key that it was submitted with.
    target : str, path, Server, Client or proxy
        The server; see `connect`.
    token, auth
        See `Client`.
    timeout : float, optional
        Maximum time to wait for the server's answer, in seconds.

    Returns
    -------
    Job
        The job.

    Raises
    ------
    JobLost
        If the server has failed, and was started again, since the job was submitted.
    JobNotFound
        If the server knows no such job, or no longer.
    ConfigError
        If the name is no valid Unicode text.
    BgpyError
        As for `connect`.

    Examples
    --------
    >>> bgpy.job("order-17", "counter").result()
    """
    if not isinstance(job_id, str):
        raise TypeError(f"job_id must be a str, not {type(job_id).__name__}")
    try:
        job_id.encode()
    except UnicodeEncodeError:
        raise ConfigError("job_id contains what is no valid Unicode text") from None
    client = _client(target, token, auth)
    (about,) = client._jobs(job_id, timeout)
    return Job(client, job_id, about["task"])


def jobs(
    target: str | PathLike[str] | Server | Client | object,
    *,
    token: str | None = None,
    auth: bool = True,
    timeout: float | None = None,
) -> list[JobInfo]:
    """Return the jobs that a server knows, the newest first.

    Parameters
    ----------
    target : str, path, Server, Client or proxy
        The server; see `connect`.
    token, auth
        See `Client`.
    timeout : float, optional
        Maximum time to wait for the server's answer, in seconds.

    Returns
    -------
    list of JobInfo
        The jobs; as text it is a table.

    Raises
    ------
    BgpyError
        As for `connect`.
    """
    return JobList(map(JobInfo, _client(target, token, auth)._jobs(None, timeout)))


def _client(target: Any, token: str | None, auth: bool) -> Client:
    from ._servers import client_of
    from ._services.proxy import Proxy

    if isinstance(target, Proxy):
        target = target.__bgpy_client__
    return client_of(target, token=token, auth=auth)


def _shown(text: str) -> str:
    """Escape what would control a terminal, or break a line: any client may name jobs."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _unpickled(target: str, job_id: str, task: str) -> Job[Any]:
    """Connect again where a job arrives; the token is found there, or not at all."""
    return Job(Client(target), job_id, task)
