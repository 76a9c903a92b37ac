"""A server with an object, for the tests of methods on the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import bgpy

from .commands import Commands
from .working import wait_until

CLASS = '''
from __future__ import annotations

import time
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import bgpy

ENDS = []


class Point:
    pass


class Counter:
    """Counts.

    It says "how often".
    """

    def __init__(self, start: int = 0) -> None:
        self.value_ = start

    def increase(self, by: int = 1, *, note: str = "") -> int:
        """Add to the value.

        Returns the new one.
        """
        self.value_ += by
        return self.value_

    @property
    def value(self) -> int:
        """How far it has counted."""
        return self.value_

    @bgpy.method(read=True)
    def peek(self):
        return self.value_

    async def soon(self, seconds: float = 0) -> bool:
        return True

    def reset(self) -> None:
        self.value_ = 0

    def echo(self, *values, **named):
        return [list(values), named]

    def say(self, text: str) -> str:
        return text

    def kind(self, path: Path, /) -> list[str]:
        return [type(path).__name__.replace("Windows", "Posix"), str(path)]

    def point(self) -> Point:
        return Point()

    def words(self, text: str) -> Iterator[str]:
        yield from text.split()

    def first(self, pipe: str) -> Generator[int | None, None, str]:
        yield 1
        yield None
        try:
            with open(pipe) as waits:
                yield int(waits.read())
        finally:
            ENDS.append("first")
        return "the end"

    def ends(self) -> list[str]:
        return ENDS

    def train(self, mark: str, pipe: str) -> str:
        bgpy.progress(30, 100, "training")
        Path(mark).touch()
        with open(pipe) as waits:
            return waits.read()

    def sleep(self, mark: str) -> None:
        try:
            Path(mark).touch()
            time.sleep(60)
        except bgpy.Cancelled:
            ENDS.append("cancelled")
            raise

    def fail(self, text):
        raise LookupError(text)

    def __len__(self) -> int:
        return self.value_

    def _hidden(self):
        pass
'''


class Shop:
    """The server, with the name 'counter'."""

    def __init__(self, commands: Commands, directory: Path) -> None:
        self.commands = commands
        self.path = directory / "counter.py"
        self.path.write_text(CLASS)
        code, _, words = commands.run("start", f"{self.path}:Counter")
        assert code == 0, words
        self.object = bgpy.connect("counter").service()
        self.mark = directory / "mark"
        self.pipe = directory / "pipe"
        os.mkfifo(self.pipe)

    def wait_begun(self) -> None:
        """Wait until a call has left its mark."""
        wait_until(self.mark.exists)


@pytest.fixture
def shop(commands: Commands, tmp_path: Path) -> Shop:
    """Start a server with the name 'counter'."""
    return Shop(commands, tmp_path)
