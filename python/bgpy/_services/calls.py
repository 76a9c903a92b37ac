"""Calls of remote methods in other ways than by calling them."""

from __future__ import annotations

from .._bgpy import RemoteMethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar

    from .._bgpy import Call, Progress
    from .._jobs import Job

    P = ParamSpec("P")
    R = TypeVar("R")


def options(
    method: Callable[P, R],
    *,
    timeout: float | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    window: int | None = None,
    key: str | None = None,
    keep: float | None = None,
) -> Callable[P, R]:
    """Return a method of a proxy that is called with other options.

    Parameters
    ----------
    method : callable
        A method of a proxy, such as ``counter.train``.
    timeout : float, optional
        Maximum time to wait for its result, or for each value of a stream, in seconds. Then the
        call is cancelled.
    on_progress : callable, optional
        Called with a `Progress` each time that the method tells how far it has come.
    window : int, optional
        How many bytes of a stream the server may send ahead; 1 MiB by default.
    key : str, optional
        For `submit`: the name of the job. Submitted again with the same arguments, it is the same
        job, which runs once.
    keep : float, optional
        For `submit`: how long the server keeps the result, in seconds; a day by default.

    Returns
    -------
    callable
        The method; the one that was passed is unchanged.

    Raises
    ------
    TypeError
        If it is no method of a proxy.

    Examples
    --------
    >>> bgpy.options(counter.train, timeout=60, on_progress=print)(3)
    """
    made: Callable[P, R] = _remote(method)._with(timeout, on_progress, window, key, keep)
    return made


def begin(method: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
    """Call a method of a proxy and return at once, with the call under way.

    Parameters
    ----------
    method : callable
        A method of a proxy, such as ``counter.train``, perhaps with `options`.
    *args, **kwargs
        Its arguments.

    Returns
    -------
    Call
        The call: ``result()``, ``cancel()``, ``progress``, and it can be awaited.

    Raises
    ------
    TypeError
        If it is no method of a proxy, or takes other arguments.
    BgpyError
        If the call cannot be sent; see `Client.call`.

    Examples
    --------
    >>> calls = [bgpy.begin(counter.increase, by) for by in range(10)]
    >>> values = [call.result() for call in calls]
    """
    begun: Call[R] = _remote(method)._begin(*args, **kwargs)
    return begun


def submit(method: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Job[R]:
    """Submit a job: a call of a method that lives on without its caller.

    The server runs it in its turn, like any call, and keeps the result, so that whoever knows the
    name of the job can wait for it, from any process and as often as needed.

    Parameters
    ----------
    method : callable
        A method of a proxy, such as ``counter.train``, perhaps with `options`.
    *args, **kwargs
        Its arguments.

    Returns
    -------
    Job
        The job: ``id``, ``result()``, ``state``, ``cancel()``.

    Raises
    ------
    TypeError
        If it is no method of a proxy, yields values, or takes other arguments.
    JobTaken
        If a job of the same key calls something else, or with other arguments.
    BgpyError
        If the job cannot be submitted; see `Client.call`.

    Examples
    --------
    >>> job = bgpy.submit(counter.train, 3)
    >>> job.result()
    """
    from .._jobs import Job

    if isinstance(method, RemoteMethod):
        return Job(*method._submit(*args, **kwargs))
    submitted: Job[R] = _remote(method)._submit(*args, **kwargs)
    return submitted


def _remote(method: Any) -> Any:
    # Those of `bgpy.aio` have the same two ways to be called.
    if not isinstance(method, RemoteMethod) and type(method).__name__ != "AsyncMethod":
        text = f"pass a method of a proxy, such as counter.increase, not {type(method).__name__}"
        raise TypeError(text)
    return method
