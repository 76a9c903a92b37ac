"""A conversation with somebody at a terminal elsewhere: lines come in, output goes out."""

from __future__ import annotations

import _thread
import threading
import time
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Bytes of output that are kept for a client that does not fetch them.
OUTPUT_BYTES = 1 << 20

# A client that has not asked for so long is gone, as far as the next one is concerned.
ATTACHED_S = 5.0

# A prompt whose client has not asked for so long is ended.
ABANDONED_S = 60.0

# How often a task that waits looks for signals.
SIGNALS_S = 0.5

# A line that is not finished by then is shown: it is not the prompt of what reads next.
TAIL_S = 0.05


class Session:
    """A conversation.

    Its thread prints and reads; other threads pass on what the client sends, and take what it gets.
    """

    is_prompt = False
    # Where a task waits, unless it runs.
    place: str | None = None
    # What to tell who opens it.
    about = ""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: deque[str] = deque()
        self._output = bytearray()
        # Position of the first byte that is kept, and behind the last one that was sent.
        self._start = self._sent = 0
        self._written_s = 0.0
        self._reads: str | None = None
        self._asked_s = time.monotonic()
        self._is_closed = self._is_abandoned = self.is_over = False
        self._thread: int | None = None
        # Whether KeyboardInterrupt is on its way to the thread.
        self._is_interrupted = False
        # Where the output begins that a new client shows.
        self.begins = 0
        # What the interpreter calls `_`.
        self.namespace: dict[str, Any] = {}

    # For its thread.

    def write(self, text: str) -> int:
        """Print."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        data = text.encode("utf-8", "backslashreplace")
        with self._changed:
            self._output += data
            surplus = len(self._output) - OUTPUT_BYTES
            if surplus > 0:
                del self._output[:surplus]
                self._start += surplus
            self._written_s = time.monotonic()
        return len(text)

    def readline(self, prompt: str | None = None) -> str:
        """Wait for a line, and return it with its line feed.

        Parameters
        ----------
        prompt : str, optional
            What the client shows; by default what was printed since the last line feed.

        Raises
        ------
        EOFError
            If the client has closed the session, or has gone.
        """
        with self._changed:
            self._reads = self._tail() if prompt is None else prompt
            try:
                while not self._lines:
                    self._wait()
                self._is_interrupted = False
                return self._lines.popleft() + "\n"
            finally:
                self._reads = None

    def _wait(self) -> None:
        if self._is_abandoned:
            raise EOFError
        if not self.is_prompt:
            # The next client finds the task where it is. In slices, because a signal that arrives
            # right before the wait does not end it.
            self._changed.wait(SIGNALS_S)
            return
        silent_s = time.monotonic() - self._asked_s
        if self._is_closed or silent_s > ABANDONED_S:
            raise EOFError
        self._changed.wait(ABANDONED_S - silent_s + 0.1)

    def _tail(self) -> str:
        """Take back what was printed since the last line feed, unless it was sent already."""
        cut = self._output.rfind(b"\n") + 1
        if self._start + cut < self._sent:
            return ""
        tail = bytes(self._output[cut:])
        del self._output[cut:]
        return tail.decode("utf-8", "replace")

    def position(self) -> int:
        """Return the position behind what was printed."""
        with self._changed:
            return self._start + len(self._output)

    def end(self) -> None:
        """Note that nothing more will come."""
        with self._changed:
            self.is_over = True

    def runs_here(self) -> None:
        """Note that its thread is this one."""
        self._thread = _thread.get_ident()

    def is_here(self) -> bool:
        """Return whether this thread is its own."""
        return self._thread == _thread.get_ident()

    # For the threads that speak with the client.

    def put(self, line: str) -> bool:
        """Pass on a line; return False if none is read now."""
        with self._changed:
            if self._reads is None:
                return False
            self._lines.append(line)
            self._reads = None
            self._changed.notify_all()
            return True

    def take(self, after: int, limit: int) -> tuple[bytes, int, str | None, bool]:
        """Return output, the position behind it, the prompt if a line is read, and the end."""
        with self._changed:
            self._asked_s = now_s = time.monotonic()
            note = b""
            if after < self._start:
                lost = self._start - after
                note = f"\n[{lost} bytes of output are left out]\n".encode()
                after = self._start
            waits = self._reads is not None or self.is_over
            is_settled = waits or now_s - self._written_s > TAIL_S
            end = len(self._output) if is_settled else self._output.rfind(b"\n") + 1
            begin = after - self._start
            piece = bytes(self._output[begin : max(begin, min(end, begin + limit - len(note)))])
            after += len(piece)
            self._sent = max(self._sent, after)
            is_all = after >= self._start + len(self._output)
            reads = self._reads if is_all else None
            return note + piece, after, reads, self.is_over and is_all

    def interrupt(self) -> int | None:
        """Return the thread in which to raise KeyboardInterrupt, if it runs something."""
        with self._changed:
            if self._reads is not None or self.is_over or self._thread is None:
                return None
            self._is_interrupted = True
            return self._thread

    def was_interrupted(self) -> bool:
        """Return whether a KeyboardInterrupt was the client's, once."""
        was, self._is_interrupted = self._is_interrupted, False
        return was

    def close(self) -> None:
        """End a prompt, or leave a task at its breakpoint."""
        with self._changed:
            self._is_closed, self._asked_s = True, time.monotonic() - ABANDONED_S
            self._changed.notify_all()

    def abandon(self) -> None:
        """Let nobody come any more, as the server has ended."""
        with self._changed:
            self._is_abandoned = True
            self._changed.notify_all()

    def attach(self) -> None:
        """Note that a client has come."""
        with self._changed:
            self._is_closed, self._asked_s = False, time.monotonic()

    def is_attached(self) -> bool:
        """Return whether a client is there."""
        return time.monotonic() - self._asked_s < ATTACHED_S
