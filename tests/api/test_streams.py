"""Every response of a call, one after the other, no faster than they are read."""

from __future__ import annotations

import gc
import threading
import time

import numpy
import pytest

import bgpy
from bgpy import Client, RemoteError, respond

HOST = "127.0.0.1"
LIMIT_S = 20
WINDOW = 1 << 20


def count(client_socket, state, args):
    for number in range(args):
        respond(client_socket, number)
        state["sent"] = number + 1


def poll(client, until):
    """Ask for the status until it is as wanted."""
    limit = time.monotonic() + LIMIT_S
    while not until(status := client.status(timeout=LIMIT_S)):
        assert time.monotonic() < limit, status
        time.sleep(0.005)
    return status


def is_free(client):
    return poll(client, lambda status: status["state"] == "READY")


@pytest.mark.parametrize("number", [0, 1, 2, 1000, 50_000])
def test_all_responses_come_in_order(serve, number):
    client = serve(count)
    assert list(client.stream(number)) == list(range(number))


@pytest.mark.parametrize("window", [0, 1, 100, 10_000_000])
def test_any_window_will_do(serve, window):
    client = serve(count)
    assert list(client.stream(3000, window=window)) == list(range(3000))


def test_values_of_any_size(serve):
    def sizes(client_socket, state, args):
        for size in args:
            respond(client_socket, numpy.full(size, size % 251, dtype="u1"))

    client = serve(sizes)
    sizes_wanted = [0, 1, 100, 1 << 16, 3 << 20, 10, 17 << 20, 0, WINDOW, WINDOW - 1, 5]
    arrays = list(client.stream(sizes_wanted))
    assert [len(array) for array in arrays] == sizes_wanted
    assert all((array == len(array) % 251).all() for array in arrays)
    assert all(array.flags.writeable for array in arrays)


def test_a_reader_that_stops_stops_the_task_at_the_window(serve):
    def fill(client_socket, state, args):
        for number in range(args):
            respond(client_socket, b"x" * 1000)
            state["sent"] = number + 1

    def sent(client_socket, state, args):
        respond(client_socket, state.get("sent"))

    def either(client_socket, state, args):
        (sent if args is None else fill)(client_socket, state, args)

    client = serve(either)
    stream = client.stream(1_000_000)
    next(stream)
    other = Client(HOST, client.port)
    before = poll(other, lambda status: status["busy_s"] and status["busy_s"] > 0.3)
    assert before["rss_bytes"] < 500 << 20
    stream.close()
    is_free(other)
    assert other.call(None) <= WINDOW // 1000 + 2


def test_who_does_not_read_is_not_cut_off_and_delays_nobody(serve):
    client = serve(count)
    stream = client.stream(200_000)
    assert next(stream) == 0
    other = Client(HOST, client.port)
    limit = time.monotonic() + 1
    while time.monotonic() < limit:
        other.ping(timeout=LIMIT_S)
    assert list(stream) == list(range(1, 200_000))


def test_many_streams_of_one_client_wait_for_their_turn(serve):
    client = serve(count)
    streams = [client.stream(20_000) for _ in range(5)]
    # The last is read first: the others' responses wait for their readers, up to the window.
    others = [threading.Thread(target=list, args=(stream,)) for stream in streams[:-1]]
    for thread in others:
        thread.start()
    assert sum(streams[-1]) == sum(range(20_000))
    for thread in others:
        thread.join(LIMIT_S)
        assert not thread.is_alive()


@pytest.mark.parametrize("leave", ["close", "with", "del", "break"])
def test_leaving_early_cancels_the_task(serve, leave):
    def endless(client_socket, state, args):
        if args == "ended":
            respond(client_socket, state.get("ended"))
            return
        try:
            while True:
                respond(client_socket, "word")
        except bgpy.Cancelled:
            state["ended"] = "cancelled"
            raise

    client = serve(endless)
    stream = client.stream("go")
    next(stream)
    if leave == "close":
        stream.close()
    elif leave == "with":
        with stream:
            next(stream)
    elif leave == "break":
        for _ in stream:
            break
        del stream
    else:
        del stream
    gc.collect()
    assert client.call("ended", timeout=LIMIT_S) == "cancelled"


def test_a_client_that_dies_cancels_the_task(serve, scripts, gate):
    def endless(client_socket, state, args):
        if args == "ended":
            respond(client_socket, state.get("ended"))
            return
        try:
            gate.tell()
            while True:
                respond(client_socket, "word" * 100)
        finally:
            state["ended"] = True

    client = serve(endless)
    script = f"""
import bgpy, os, signal
for word in bgpy.connect("{HOST}:{client.port}").stream("go"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    process = scripts.spawn(script)
    gate.wait_entered()
    process.wait(LIMIT_S)
    assert client.call("ended", timeout=LIMIT_S) is True


def test_errors_after_any_number_of_values(serve):
    def fail(client_socket, state, args):
        for number in range(args):
            respond(client_socket, number)
        raise ValueError("that is all")

    client = serve(fail)
    for number in (0, 1, 5000):
        stream = client.stream(number)
        assert [next(stream) for _ in range(number)] == list(range(number))
        with pytest.raises(RemoteError, match="that is all") as caught:
            next(stream)
        assert isinstance(caught.value.exception, ValueError)
        assert list(stream) == []


def test_a_response_that_reports_an_error_is_raised_in_its_place(serve):
    def doubt(client_socket, state, args):
        respond(client_socket, 1)
        respond(client_socket, {"message": "hm"}, error=True)
        respond(client_socket, 3)

    stream = serve(doubt).stream(None)
    assert next(stream) == 1
    with pytest.raises(RemoteError, match="hm"):
        next(stream)
    assert list(stream) == [3]


def test_a_time_limit_for_each_response(serve, gate):
    def slow(client_socket, state, args):
        respond(client_socket, 1)
        gate.enter()
        respond(client_socket, 2)

    stream = serve(slow).stream(None, timeout=0.2)
    assert next(stream) == 1
    with pytest.raises(bgpy.CallTimeout):
        next(stream)
    gate.open()
    assert next(stream) == 2
    assert list(stream) == []


def test_threads_share_a_stream(serve):
    client = serve(count)
    stream, seen, lock = client.stream(20_000), [], threading.Lock()

    def read():
        for number in stream:
            with lock:
                seen.append(number)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert sorted(seen) == list(range(20_000))
