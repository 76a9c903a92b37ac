"""Waiting for several calls, and calls as futures."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._bgpy import Call

ReturnWhen = Literal["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"]


def wait(
    calls: Iterable[Call[Any]],
    timeout: float | None = None,
    return_when: ReturnWhen = "ALL_COMPLETED",
) -> tuple[set[Call[Any]], set[Call[Any]]]:
    """Wait for calls under way, as `concurrent.futures.wait` does for futures.

    Parameters
    ----------
    calls : iterable of Call
        The calls, of any clients.
    timeout : float, optional
        Maximum time to wait, in seconds.
    return_when : str, default "ALL_COMPLETED"
        When to return: ``"ALL_COMPLETED"``, ``"FIRST_COMPLETED"`` or ``"FIRST_EXCEPTION"``.

    Returns
    -------
    tuple of set of Call
        The calls that have ended, and those that have not.

    Raises
    ------
    ConfigError
        If `return_when` is none of these.
    """
    if return_when not in ("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"):
        from .errors import ConfigError

        message = (
            f"return_when={return_when!r} must be ALL_COMPLETED, FIRST_COMPLETED or FIRST_EXCEPTION"
        )
        raise ConfigError(message)
    not_done, done = set(calls), set[Any]()
    if not not_done:
        return done, not_done
    for call in _as_completed(not_done, timeout):
        if call is None:
            break
        done.add(call)
        is_enough = return_when == "FIRST_COMPLETED" or (
            return_when == "FIRST_EXCEPTION" and call.exception() is not None
        )
        if is_enough:
            break
    done |= {call for call in not_done - done if call.done()}
    return done, not_done - done


def as_completed(calls: Iterable[Call[Any]], timeout: float | None = None) -> Iterator[Call[Any]]:
    """Iterate over calls under way in the order in which they end.

    Parameters
    ----------
    calls : iterable of Call
        The calls, of any clients.
    timeout : float, optional
        Maximum time to wait for all of them, in seconds.

    Yields
    ------
    Call
        A call that has ended.

    Raises
    ------
    CallTimeout
        If they have not all ended within `timeout` seconds.
    """
    for call in _as_completed(set(calls), timeout):
        if call is None:
            from .errors import CallTimeout

            message = f"not all calls have ended within {timeout} s"
            raise CallTimeout(message)
        yield call


def _as_completed(calls: set[Call[Any]], timeout: float | None) -> Iterator[Call[Any] | None]:
    """Yield calls as they end, and None once the time is over."""
    ends = None if timeout is None else time.monotonic() + timeout
    pending = set(calls)
    while pending:
        connections = {call._connection() for call in pending}
        if len(connections) > 1:
            yield from _of_several_connections(pending, ends)
            return
        some = next(iter(pending))
        # Before the calls are asked, so that nothing which arrives meanwhile is missed.
        seen = some._arrivals()
        done = [call for call in pending if call.done()]
        pending.difference_update(done)
        yield from done
        if done:
            continue
        left = None if ends is None else ends - time.monotonic()
        if left is not None and left <= 0:
            yield None
            return
        some._await_arrival(seen, left)


def _of_several_connections(
    calls: set[Call[Any]], ends: float | None
) -> Iterator[Call[Any] | None]:
    futures: dict[concurrent.futures.Future[Any], Call[Any]] = {future_of(it): it for it in calls}
    left = None if ends is None else max(0.0, ends - time.monotonic())
    try:
        for future in concurrent.futures.as_completed(futures, left):
            yield futures[future]
    except TimeoutError:
        yield None


class CallFuture(concurrent.futures.Future[Any]):
    """A call as a future. Cancelling it asks the server to cancel the call."""

    def __init__(self, call: Call[Any]) -> None:
        super().__init__()
        self._call = call
        self.set_running_or_notify_cancel()

    def cancel(self) -> bool:
        """Ask the server to cancel the call; the future ends when the call has."""
        from .errors import BgpyError

        try:
            return self._call.cancel(timeout=0) == "cancelled"
        except BgpyError:
            # The future gets the error, too.
            return False

    def settle(self) -> None:
        """Take over how the call has ended."""
        error = self._call.exception()
        if error is None:
            self.set_result(self._call.result())
        else:
            self.set_exception(error)


def future_of(call: Call[Any]) -> CallFuture:
    """Return a future of a call. A thread, one for each connection, waits for the futures."""
    future = CallFuture(call)
    with _lock:
        waiter = _waiters.get(call._connection())
        if waiter is None:
            waiter = _waiters[call._connection()] = _Waiter(call._connection())
            waiter.futures.append(future)
            threading.Thread(target=waiter.run, name="bgpy-futures", daemon=True).start()
        else:
            waiter.futures.append(future)
    return future


class _Waiter:
    """Waits for the calls of a connection, as long as it has some."""

    def __init__(self, connection: int) -> None:
        self.connection = connection
        self.futures: list[CallFuture] = []

    def run(self) -> None:
        while True:
            with _lock:
                if not self.futures:
                    del _waiters[self.connection]
                    return
                futures = list(self.futures)
            some = futures[0]._call
            seen = some._arrivals()
            done = {future for future in futures if future._call.done()}
            for future in done:
                future.settle()
            if done:
                with _lock:
                    self.futures = [future for future in self.futures if future not in done]
                continue
            # Not for ever: a future that is added meanwhile may be done already.
            some._await_arrival(seen, 0.05)


_lock = threading.Lock()
_waiters: dict[int, _Waiter] = {}


def _forget() -> None:
    """Forget the threads of the parent in a forked child."""
    global _lock
    _lock = threading.Lock()
    _waiters.clear()


def _watch_forks() -> None:
    import os

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget)


_watch_forks()
