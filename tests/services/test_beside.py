"""What runs beside what: streams between other calls, readers beside readers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

import bgpy

LIMIT_S = 20


class Feed:
    def __init__(self):
        self.log = []

    def endless(self, size: int = 8) -> Iterator[bytes]:
        try:
            while True:
                yield bytes(size)
        finally:
            self.log.append(f"closed on {threading.current_thread().name}")

    def numbers(self, count: int) -> Iterator[int]:
        yield from range(count)
        return "all"

    def swallow(self) -> Iterator[int]:
        try:
            yield 1
            yield 2
        except bgpy.Cancelled:
            self.log.append("cancelled")
            raise
        finally:
            self.log.append("finally")

    @bgpy.method(cancel=False)
    def stubborn(self, gate):
        gate.enter()
        return "done"

    def fails(self) -> Iterator[int]:
        yield 1
        raise LookupError("second")

    def note(self, text: str) -> list[str]:
        self.log.append(text)
        return self.log


@pytest.fixture
def feed(served):
    return served(Feed)


def read_slowly(stream):
    for _ in range(5):
        next(stream)
        time.sleep(0.1)


def wait_for(feed, text):
    ends = time.monotonic() + LIMIT_S
    while not any(text in line for line in feed.note("look")):
        assert time.monotonic() < ends, f"{text} never came"
        time.sleep(0.01)


def test_a_stalled_stream_keeps_nobody_waiting(feed):
    stream = feed.endless(100_000)
    assert len(next(stream)) == 100_000
    assert feed.note("meanwhile")[-1] == "meanwhile"
    stream.close()
    wait_for(feed, "closed on MainThread")


def test_an_endless_stream_that_is_read_gives_way(feed):
    stop = threading.Event()

    def read():
        for _ in feed.endless():
            if stop.is_set():
                return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        other = bgpy.connect(bgpy.client(feed), Feed)
        for number in range(200):
            assert bgpy.options(other.note, timeout=LIMIT_S)(str(number))[-1] == str(number)
    finally:
        stop.set()
        reader.join(LIMIT_S)
    wait_for(feed, "closed on MainThread")


def test_streams_beside_each_other(feed):
    streams = [feed.numbers(1000) for _ in range(20)]
    for number in range(1000):
        assert [next(stream) for stream in streams] == [number] * 20
    for stream in streams:
        assert list(stream) == []
        assert stream.result == "all"


def test_the_status_shows_a_stream_that_waits(feed):
    stream = feed.endless(2_000_000)
    next(stream)
    status = bgpy.client(feed).status()
    assert (status["task"], status["state"], status["queue"]) == ("endless", "BUSY", 0)
    assert status["call"] is not None


def test_a_method_that_cannot_be_cancelled(feed, gate):
    call = bgpy.begin(feed.stubborn, gate)
    gate.wait_entered()
    assert call.cancel(timeout=0.1) == "running"
    gate.open()
    assert call.result(LIMIT_S) == "done"


def test_an_exception_after_a_value(feed):
    stream = feed.fails()
    assert next(stream) == 1
    with pytest.raises(LookupError, match="second"):
        next(stream)


def test_a_client_that_leaves_closes_its_stream(feed):
    other = bgpy.Client(bgpy.client(feed)._target)
    stream = other.service(Feed).endless(2_000_000)
    next(stream)
    other.close()
    wait_for(feed, "closed on MainThread")


def test_a_deadline_ends_a_stream_that_waits(feed):
    with bgpy.deadline(0.3):
        stream = feed.endless(2_000_000)
        next(stream)
    with pytest.raises(bgpy.CallTimeout):
        read_slowly(stream)
    wait_for(feed, "closed on MainThread")


def test_a_server_that_is_stopped_closes_its_streams(host):
    server = host(Feed)
    stream = bgpy.connect(server, Feed).endless(2_000_000)
    next(stream)
    server.stop(LIMIT_S)
    with pytest.raises(bgpy.BgpyError):
        read_slowly(stream)


class Book:
    def __init__(self):
        self.text = "a"
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()
        self.meeting = threading.Barrier(3)

    @bgpy.method(read=True)
    def meet(self):
        """Three readers are here at once, or it fails."""
        self.meeting.wait(LIMIT_S)
        return threading.current_thread() is not threading.main_thread()

    @bgpy.method(read=True)
    def read(self, seconds: float = 0.0):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(seconds)
        text = self.text
        with self.lock:
            self.inside -= 1
        return text

    @bgpy.method(read=True)
    def letters(self) -> Iterator[str]:
        yield from self.text

    @bgpy.method(read=True)
    def wait_cancelled(self, gate):
        gate.tell()
        while True:
            bgpy.check_cancelled()
            time.sleep(0.005)

    def at_most(self):
        return self.most

    def write(self, text: str):
        assert self.inside == 0, "a reader is here"
        self.text = text
        time.sleep(0.001)
        assert self.inside == 0, "a reader has come"
        return text

    @bgpy.method(read=True)
    def calls_itself(self, target):
        return bgpy.connect(target, Book).read()

    @property
    @bgpy.method(read=True)
    def length(self):
        return len(self.text)


@pytest.fixture
def book(served):
    return served(Book)


def test_readers_run_beside_each_other(book):
    calls = [bgpy.begin(book.meet) for _ in range(3)]
    assert [call.result(LIMIT_S) for call in calls] == [True] * 3


def test_no_more_readers_run_beside_each_other_than_there_are_threads(served):
    book = served(Book, threads=2)
    calls = [bgpy.begin(book.read, 0.05) for _ in range(6)]
    assert [call.result(LIMIT_S) for call in calls] == ["a"] * 6
    assert book.at_most() == 2


def test_writers_never_run_beside_readers_and_order_is_kept(book):
    calls, expected, text = [], [], "a"
    for number in range(200):
        if number % 7 == 3:
            text = f"t{number}"
            calls.append(bgpy.begin(book.write, text))
        else:
            calls.append(bgpy.begin(book.read, 0.001 * (number % 3)))
        expected.append(text)
    assert [call.result(LIMIT_S) for call in calls] == expected


def test_readers_stream_and_properties_read(book):
    book.write("abc")
    assert list(book.letters()) == ["a", "b", "c"]
    assert book.length == 3


def test_a_server_that_is_stopped_waits_for_its_readers(host):
    server = host(Book)
    call = bgpy.begin(bgpy.connect(server, Book).read, 0.5)
    while bgpy.connect(server).status()["task"] != "read":
        time.sleep(0.01)
    server.stop(LIMIT_S)
    assert call.result(LIMIT_S) == "a"


def test_a_reader_is_cancelled_where_it_looks(book, gate):
    call = bgpy.begin(book.wait_cancelled, gate)
    gate.wait_entered()
    assert call.cancel(LIMIT_S) == "cancelled"
    assert book.read() == "a"


def test_a_reader_that_calls_its_own_server_is_told(book):
    with pytest.raises(bgpy.WouldDeadlock):
        book.calls_itself(bgpy.client(book)._target)
