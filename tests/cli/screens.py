"""Runs a command on a terminal, and sees what a person would see there."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pyte

from .commands import LIMIT_S

# Gives a command the terminal whose descriptor is the first argument.
ON_SCREEN = """
import fcntl, os, sys, termios
line = int(sys.argv[1])
os.setsid()
fcntl.ioctl(line, termios.TIOCSCTTY, 0)
for stream in range(3):
    os.dup2(line, stream)
os.close(line)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Screen:
    """A command on a terminal of its own."""

    def __init__(self, command: list[str], columns: int, lines: int) -> None:
        self.terminal, self.line = os.openpty()
        self.resize(columns, lines)
        self.attributes = termios.tcgetattr(self.line)
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.written = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_SCREEN, str(self.line), *command],
            pass_fds=[self.line],
            env=os.environ | {"TERM": "xterm-256color"},
        )

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the terminal."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, size)
        if hasattr(self, "screen"):
            self.screen.resize(lines, columns)

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def line_with(self, text: str) -> str:
        """Return the first line with this text."""
        return next(line for line in self.text.splitlines() if text in line)

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.terminal, keys)

    def wait(self, is_as_wanted: Callable[[str], bool]) -> str:
        """Wait until the screen is as wanted, and return its text."""
        until = time.monotonic() + LIMIT_S
        while not is_as_wanted(self.text):
            assert self.take(until - time.monotonic()), f"not as wanted:\n{self.text}"
        return self.text

    def wait_for(self, *parts: str) -> str:
        """Wait until all of this is on the screen."""
        return self.wait(lambda text: all(part in text for part in parts))

    def take(self, limit_s: float) -> bool:
        """Take what is written within this time; tell whether something was."""
        if not select.select([self.terminal], [], [], max(limit_s, 0))[0]:
            return False
        written = os.read(self.terminal, 1 << 16)
        self.written += written
        self.stream.feed(written)
        return True

    def end(self) -> int:
        """Wait for the end of the command, and return its code."""
        code = self.process.wait(LIMIT_S)
        while self.take(0):
            pass
        return code

    def is_restored(self) -> bool:
        """Tell whether the terminal is as it was before the command."""
        left = self.written.rfind(b"\x1b[?1049l") > self.written.rfind(b"\x1b[?1049h")
        same = termios.tcgetattr(self.line) == self.attributes
        return left and same and not self.screen.cursor.hidden

    def vanish(self) -> int:
        """Close the terminal, wait for the end of the command, and return its code."""
        self.hang_up()
        return self.process.wait(LIMIT_S)

    def hang_up(self) -> None:
        for descriptor in (self.line, self.terminal):
            if descriptor >= 0:
                os.close(descriptor)
        self.line = self.terminal = -1

    def close(self) -> None:
        """End the command if it still runs."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.hang_up()
