"""Standard streams that are a session's in its thread, and what they were in all others.

They are in place only while there is a session, so printing costs nothing otherwise.
"""

from __future__ import annotations

import sys
import threading
from _thread import get_ident
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .session import Session

_sessions: dict[int, Session] = {}
_lock = threading.Lock()
_display: Callable[[object], object] | None = None


class _Of:
    """A standard stream of a session."""

    encoding, errors, newlines = "utf-8", "backslashreplace", None

    def __init__(self, session: Session) -> None:
        self._session = session

    def write(self, text: str) -> int:
        return self._session.write(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def readline(self, size: int = -1) -> str:
        return self._session.readline()

    def read(self, size: int = -1) -> str:
        return self.readline()

    def __iter__(self) -> Iterator[str]:
        return iter(self.readline, "")

    def flush(self) -> None:
        """Do nothing: what is printed is there."""

    def close(self) -> None:
        """Stay open: `exit()` closes standard input."""

    def isatty(self) -> bool:
        return False


class _Nowhere(_Of):
    """A stream that a process does not have."""

    def __init__(self) -> None:
        """Know no session."""

    def write(self, text: str) -> int:
        return len(text)

    def readline(self, size: int = -1) -> str:
        return ""


class Routed:
    """A standard stream that belongs to whoever uses it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.before: Any = None

    def _stream(self) -> Any:
        session = _sessions.get(get_ident())
        if session is not None:
            return _Of(session)
        return _Nowhere() if self.before is None else self.before

    def write(self, text: str) -> int:
        """Write to the stream of this thread."""
        written: int = self._stream().write(text)
        return written

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream(), name)


stdin, stdout, stderr = Routed("stdin"), Routed("stdout"), Routed("stderr")
_STREAMS = (stdin, stdout, stderr)


@contextmanager
def to(session: Session) -> Iterator[None]:
    """Let this thread print to a session, and read from it."""
    thread = get_ident()
    with _lock:
        if not _sessions:
            _put()
        # A prompt may call what comes to a breakpoint.
        outer = _sessions.get(thread)
        _sessions[thread] = session
    try:
        yield
    finally:
        with _lock:
            if outer is None:
                _sessions.pop(thread, None)
            else:
                _sessions[thread] = outer
            if not _sessions:
                _take_away()


def forget() -> None:
    """Make this forked child an ordinary process."""
    global _lock
    _lock = threading.Lock()
    _sessions.clear()
    _take_away()


def _put() -> None:
    global _display
    for stream in _STREAMS:
        now = getattr(sys, stream._name)
        if now is not stream:
            stream.before = now
            setattr(sys, stream._name, stream)
    if sys.displayhook is not _show:
        _display, sys.displayhook = sys.displayhook, _show


def _take_away() -> None:
    # What somebody else has put there since stays.
    for stream in _STREAMS:
        if getattr(sys, stream._name) is stream:
            setattr(sys, stream._name, stream.before)
    if sys.displayhook is _show and _display is not None:
        sys.displayhook = _display


def _show(value: object) -> object:
    """Take the place of ``sys.displayhook``, which sets a variable of all modules."""
    session = _sessions.get(get_ident())
    if session is None:
        return None if _display is None else _display(value)
    if value is not None:
        session.namespace["_"] = None
        session.write(f"{value!r}\n")
        session.namespace["_"] = value
    return None
