"""Runs the command, and servers that it starts in the foreground."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
LIMIT_S = 30
CONSOLE = [str(Path(sys.executable).with_name("bgpy"))]
MODULE = [sys.executable, "-m", "bgpy"]

# Gives a command the terminal whose descriptor is the first argument, for standard input only.
ON_TERMINAL = """
import fcntl, os, sys, termios
line = int(sys.argv[1])
os.setsid()
fcntl.ioctl(line, termios.TIOCSCTTY, 0)
os.dup2(line, 0)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Commands:
    """Runs the command in one of its forms, and ends what a test leaves running."""

    def __init__(self, form: list[str]) -> None:
        self.form = form
        self.running: list[subprocess.Popen[str]] = []

    def spawn(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        """Start the command."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [*self.form, *map(str, arguments)]
        process = subprocess.Popen(command, **({"text": True} | pipes | options))
        self.running.append(process)
        return process

    def run(self, *arguments: object, given: str = "", **options: Any) -> tuple[int, str, str]:
        """Run the command to its end; return its code, its data and its words."""
        process = self.spawn(*arguments, **options)
        data, words = process.communicate(given, timeout=LIMIT_S)
        return process.returncode, data, words

    def serve(self, *options: object, host: str = HOST, **others: Any) -> Serving:
        """Start a server in the foreground, and wait until it listens."""
        return Serving(self.spawn("server", host, 0, *options, **others))

    def on_terminal(self, *arguments: object) -> tuple[subprocess.Popen[str], int]:
        """Start the command with a terminal; return it and the terminal's other side."""
        terminal, line = os.openpty()
        form, self.form = self.form, [sys.executable, "-c", ON_TERMINAL, str(line), *self.form]
        try:
            process = self.spawn(*arguments, stdin=None, pass_fds=[line])
        finally:
            self.form = form
            os.close(line)
        return process, terminal

    def close(self) -> None:
        """End what still runs."""
        for process in self.running:
            if process.poll() is None:
                process.kill()
            with process:
                pass


class Serving:
    """A server in the foreground that listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self.process = process
        self.words = ""
        while "listens on" not in self.words:
            line = process.stderr.readline()
            assert line, f"the server has ended: {self.words}"
            self.words += line
        self.port = int(self.words.rpartition(":")[2])

    def end(self) -> tuple[int, str, str]:
        """Wait for the end of the server; return its code, its data and its words."""
        data, words = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, data, self.words + words
