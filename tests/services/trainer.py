"""What the tests of jobs have in a server."""

from __future__ import annotations

import os
import signal
import time

import bgpy


class Trainer:
    """Trains."""

    def __init__(self) -> None:
        self.runs = 0

    def train(self, epochs: int = 1) -> str:
        self.runs += 1
        return f"{epochs} epochs, run {self.runs}"

    def count(self) -> int:
        return self.runs

    def wait(self, path: str) -> str:
        """Run until the file is there."""
        bgpy.progress(1, 2, "waiting")
        while not os.path.exists(path):
            bgpy.check_cancelled()
            time.sleep(0.002)
        return path

    def fail(self, text: str) -> None:
        raise KeyError(text)

    def large(self, count: int) -> bytearray:
        return bytearray(count)

    def words(self):
        yield "a"

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def call_back(self, function) -> object:
        return function(1)


def until_running(job: bgpy.Job, state: str = "running") -> None:
    while job.state != state:
        time.sleep(0.002)
