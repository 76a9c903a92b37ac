"""Deadlines of calls."""

from __future__ import annotations

import time
from contextvars import ContextVar, Token

from . import _bgpy

# In seconds of the monotonic clock.
_ends: ContextVar[float | None] = ContextVar("bgpy_deadline", default=None)


class deadline:  # noqa: N801 (a function, to those who use it)
    """Limit the time of all calls inside of the block, together.

    Deadlines nest: the earliest counts. A server learns how much time is left: a call that does not
    begin in time does not run, one that runs is cancelled when the time is over, and calls that its
    task makes have no more time than it has itself. A call whose time is over raises `CallTimeout`.

    Parameters
    ----------
    seconds : float
        The time, from the beginning of the block.

    Raises
    ------
    ConfigError
        If `seconds` is not a number of seconds.

    Examples
    --------
    >>> with bgpy.deadline(5):
    ...     first = client.call({"page": 1})
    ...     second = client.call({"page": 2})
    """

    def __init__(self, seconds: float) -> None:
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not is_number or not seconds >= 0:
            from .errors import ConfigError

            message = f"deadline({seconds!r}): pass a number of seconds"
            raise ConfigError(message)
        self.seconds = seconds
        self._tokens: list[Token[float | None]] = []

    def __enter__(self) -> None:
        _bgpy.use_deadlines(time_left)
        ends, outer = time.monotonic() + self.seconds, _ends.get()
        self._tokens.append(_ends.set(ends if outer is None else min(ends, outer)))

    def __exit__(self, *_exception: object) -> None:
        _ends.reset(self._tokens.pop())


def time_left() -> float | None:
    """Return how many seconds are left until the deadline, or None if there is none."""
    ends = _ends.get()
    return None if ends is None else max(0.0, ends - time.monotonic())
