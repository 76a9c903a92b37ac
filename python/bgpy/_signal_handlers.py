"""Tells the exceptions of signal handlers from those of the code that they interrupt."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any


def has_raised(error: BaseException) -> bool:
    """Return whether an exception comes from a signal handler.

    An object that is being pickled or unpickled then is not to blame for it: a handler may raise
    at any moment, such as one that limits the time of a call.
    """
    from signal import getsignal, valid_signals

    codes = {_code_of(getsignal(number)) for number in valid_signals()}
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in codes:
            return True
        trace = trace.tb_next
    return False


def _code_of(handler: Any) -> CodeType | None:
    """Return the code of a handler, if it is written in Python."""
    if not callable(handler):
        return None
    inner = getattr(handler, "func", handler)
    inner = getattr(inner, "__func__", inner)
    code: CodeType | None = getattr(inner, "__code__", None)
    return code or getattr(type(inner).__call__, "__code__", None)
