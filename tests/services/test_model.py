"""Order and exclusion, for random schedules: what a service has done is checked against the rules."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest

import bgpy

LIMIT_S = 40
CALLS = 150


class Notes:
    """Writes down when each piece of a call begins and ends."""

    def __init__(self):
        self.lock = threading.Lock()
        self.notes = []

    def note(self, kind, number, what):
        with self.lock:
            self.notes.append((kind, number, what))

    def write(self, number: int, pause: float) -> int:
        self.note("write", number, "begin")
        time.sleep(pause)
        self.note("write", number, "end")
        return number

    @bgpy.method(read=True)
    def read(self, number: int, pause: float) -> int:
        self.note("read", number, "begin")
        time.sleep(pause)
        self.note("read", number, "end")
        return number

    async def wait(self, number: int, pause: float) -> int:
        self.note("wait", number, "begin")
        self.note("wait", number, "end")
        await asyncio.sleep(pause)
        self.note("wait", number, "begin")
        self.note("wait", number, "end")
        return number

    def values(self, number: int, pause: float) -> Iterator[int]:
        for n in range(5):
            self.note("values", number, "begin")
            time.sleep(pause / 5)
            self.note("values", number, "end")
            yield n
        return number

    async def async_values(self, number: int, pause: float) -> AsyncIterator[int]:
        for n in range(5):
            self.note("async_values", number, "begin")
            self.note("async_values", number, "end")
            yield n
            await asyncio.sleep(pause / 5)

    def take(self) -> list[tuple[str, int, str]]:
        return self.notes


def schedule(seed):
    """Return calls in the order in which they are made: methods, numbers and pauses."""
    choose = random.Random(seed)
    weights = [choose.random() for _ in range(5)]
    methods = choose.choices(["write", "read", "wait", "values", "async_values"], weights, k=CALLS)
    return [(method, n, choose.random() * 0.004) for n, method in enumerate(methods)]


def check_exclusion(notes):
    """No piece of a call runs beside another, but readers beside readers."""
    readers, running = set(), None
    for kind, number, what in notes:
        if kind == "read":
            assert running is None, f"reader {number} beside {running}"
            (readers.add if what == "begin" else readers.remove)(number)
        elif what == "begin":
            assert not readers, f"{kind} {number} beside readers {readers}"
            assert running is None, f"{kind} {number} beside {running}"
            running = (kind, number)
        else:
            assert running == (kind, number)
            running = None
    assert not readers
    assert running is None


def check_order(notes):
    """Calls begin in the order of their arrival; readers that run beside each other are as good as at once."""
    begun = dict.fromkeys((kind, number) for kind, number, what in notes if what == "begin")
    numbers = []
    for kind, group in itertools.groupby(begun, key=lambda call: call[0]):
        group = [number for _, number in group]
        numbers += sorted(group) if kind == "read" else group
    # A coroutine begins at the next turn of its loop, which others may have before it.
    late = {number for kind, number in begun if kind in ("wait", "async_values")}
    in_turn = [number for number in numbers if number not in late]
    assert in_turn == sorted(in_turn)
    assert [n for n in numbers if n in late] == sorted(late)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_called(served, seed):
    proxy = served(Notes)
    calls, streams = [], []
    for method, number, pause in schedule(seed):
        if method in ("values", "async_values"):
            streams.append((method, number, getattr(proxy, method)(number, pause)))
        else:
            calls.append((number, bgpy.begin(getattr(proxy, method), number, pause)))
    # Streams are read one after the other, so most of them have to wait.
    for method, number, stream in streams:
        assert list(stream) == [0, 1, 2, 3, 4]
        assert stream.result == (number if method == "values" else None)
    for number, call in calls:
        assert call.result(LIMIT_S) == number
    notes = [tuple(note) for note in proxy.take()]
    check_exclusion(notes)
    check_order(notes)
