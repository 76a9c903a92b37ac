"""One that waits does not run, one that runs is interrupted, and no other call is hit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import bgpy
from bgpy import CallCancelled, CallTimeout, respond

HOST = "127.0.0.1"
LIMIT_S = 20


def sleeping():
    time.sleep(LIMIT_S)


def in_a_lock():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def in_a_queue():
    import queue

    queue.Queue().get()


def in_select():
    import select

    read, _ = os.pipe()
    select.select([read], [], [])


def in_recv():
    import socket

    left, _right = socket.socketpair()
    left.recv(1)


def in_a_subprocess():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        try:
            process.wait()
        finally:
            process.kill()


def in_a_loop():
    while True:
        pass


def in_a_join():
    event = threading.Event()
    thread = threading.Thread(target=event.wait, daemon=True)
    thread.start()
    try:
        thread.join()
    finally:
        event.set()


def in_asyncio():
    import asyncio

    asyncio.run(asyncio.sleep(LIMIT_S))


def in_asyncio_callbacks():
    import asyncio

    async def main():
        def spin():
            for _ in range(1000):
                pass
            loop.call_soon(spin)

        loop = asyncio.get_running_loop()
        loop.call_soon(spin)
        await asyncio.sleep(LIMIT_S)

    asyncio.run(main())


PLACES = [sleeping, in_a_lock, in_a_queue, in_select, in_recv]
PLACES += [in_a_subprocess, in_a_loop, in_a_join, in_asyncio, in_asyncio_callbacks]


@pytest.fixture
def client(serve, gate):
    """Return a client of a server that runs the functions that it is sent."""

    def run(client_socket, state, args):
        if args == "notes":
            respond(client_socket, state.setdefault("notes", []))
            return
        try:
            gate.tell()
            args()
        except bgpy.Cancelled:
            state.setdefault("notes", []).append("cancelled")
            raise
        respond(client_socket, "done")

    return serve(run)


@pytest.mark.parametrize("place", PLACES)
def test_wherever_it_waits(client, gate, place):
    call = client.begin(place)
    gate.wait_entered()
    time.sleep(0.01)
    assert call.cancel(timeout=LIMIT_S) == "cancelled"
    with pytest.raises(CallCancelled, match="cancelled"):
        call.result()
    assert client.call("notes") == ["cancelled"]


def test_one_that_waits_does_not_run(client, gates):
    running, waiting = gates(), gates()
    first = client.begin(running.enter)
    running.wait_entered()
    second = client.begin(waiting.tell)
    assert second.cancel(timeout=LIMIT_S) == "cancelled"
    running.open()
    assert first.result(LIMIT_S) == "done"
    assert client.call("notes") == []
    assert not waiting.has_visitor()


def test_one_that_is_over_has_its_result(client):
    call = client.begin(int)
    assert client.call("notes") == []
    assert call.cancel() == "finished"
    assert call.result() == "done"


def test_a_task_that_goes_on_is_told_to_run(serve, gate):
    def stubborn(client_socket, state, args):
        try:
            gate.tell()
            time.sleep(LIMIT_S)
        except bgpy.Cancelled:
            gate.enter()
            respond(client_socket, "all the same")

    call = serve(stubborn).begin(None)
    gate.wait_entered()
    assert call.cancel(timeout=0.3) == "running"
    gate.wait_entered()
    gate.open()
    assert call.result(LIMIT_S) == "all the same"
    assert call.cancel() == "finished"


def test_a_second_cancel_is_another_one(serve, gate):
    def twice(client_socket, state, args):
        for _ in range(2):
            try:
                gate.tell()
                time.sleep(LIMIT_S)
            except bgpy.Cancelled:
                state["cancels"] = state.get("cancels", 0) + 1
        respond(client_socket, state["cancels"])

    call = serve(twice).begin(None)
    gate.wait_entered()
    assert call.cancel(timeout=0) == "running"
    gate.wait_entered()
    assert call.cancel(timeout=LIMIT_S) == "finished"
    assert call.result() == 2


def test_finally_blocks_run_and_are_not_interrupted(serve, gate):
    def careful(client_socket, state, args):
        if args == "notes":
            respond(client_socket, state["notes"])
            return
        try:
            gate.tell()
            time.sleep(LIMIT_S)
        finally:
            time.sleep(0.1)
            state["notes"] = "cleaned up"

    client = serve(careful)
    call = client.begin(None)
    gate.wait_entered()
    assert call.cancel(timeout=LIMIT_S) == "cancelled"
    assert client.call("notes") == "cleaned up"


def test_a_shield_puts_it_off(serve, gate):
    def shielded(client_socket, state, args):
        if args == "notes":
            respond(client_socket, state["notes"])
            return
        state["notes"] = []
        with bgpy.shield():
            gate.tell()
            with bgpy.shield():
                time.sleep(0.2)
            state["notes"].append("inner")
            time.sleep(0.1)
            state["notes"].append("outer")
        state["notes"].append("behind")

    client = serve(shielded)
    call = client.begin(None)
    gate.wait_entered()
    assert call.cancel(timeout=LIMIT_S) == "cancelled"
    assert client.call("notes") == ["inner", "outer"]


def test_threads_of_a_task_learn_of_it(serve, gate):
    def threaded(client_socket, state, args):
        if args == "notes":
            respond(client_socket, state.get("notes"))
            return

        def work():
            try:
                while True:
                    bgpy.check_cancelled()
                    time.sleep(0.001)
            except bgpy.Cancelled:
                state["notes"] = "told"

        thread = threading.Thread(target=work)
        thread.start()
        gate.tell()
        try:
            time.sleep(LIMIT_S)
        finally:
            thread.join()

    client = serve(threaded)
    call = client.begin(None)
    gate.wait_entered()
    assert call.cancel(timeout=LIMIT_S) == "cancelled"
    assert client.call("notes") == "told"


def test_ctrl_c_in_a_waiting_client_cancels(client, gate, scripts):
    script = f"""
import bgpy, time
def nap():
    time.sleep({LIMIT_S})
bgpy.connect("{HOST}:{client.port}").call(nap)
"""
    # Also if the script is gone before the server has read that.
    for turn in range(10):
        process = scripts.spawn(script)
        gate.wait_entered()
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT_S)
        assert client.call("notes", timeout=LIMIT_S / 2) == ["cancelled"] * (turn + 1)


def test_a_timeout_lets_the_task_run_on(client, gate):
    """The old rule: only who asks for it cancels."""
    with pytest.raises(CallTimeout):
        client.call(gate.enter, timeout=0.2)
    gate.wait_entered()
    gate.open()
    assert client.call("notes", timeout=LIMIT_S) == []


def test_a_caller_that_forgets_its_call_cancels_nothing(client, gate):
    call = client.begin(gate.enter)
    gate.wait_entered()
    del call
    gate.open()
    assert client.call("notes", timeout=LIMIT_S) == []


@pytest.mark.parametrize("late", [False, True])
def test_a_storm_of_cancels_hits_no_other_call(serve, late):
    """Each call has its result, however close a cancel comes to the end of the one before."""

    def run(client_socket, state, args):
        number, spin = args
        for _ in range(spin):
            pass
        respond(client_socket, number)
        state["ran"] = state.get("ran", 0) + 1

    client = serve(run)
    cancelled = 0
    for turn in range(1500):
        first = client.begin((turn, 2000))
        second = client.begin((-turn, 10))
        if late:
            first.done()
        first_cancelled = first.cancel(timeout=LIMIT_S) == "cancelled"
        cancelled += first_cancelled
        if not first_cancelled:
            assert first.result(LIMIT_S) == turn
        assert second.result(LIMIT_S) == -turn


def test_cancelled_is_no_error_to_those_who_catch_exceptions(serve, gate):
    def catch_all(client_socket, state, args):
        gate.tell()
        try:
            time.sleep(LIMIT_S)
        except Exception:
            respond(client_socket, "swallowed")

    call = serve(catch_all).begin(None)
    gate.wait_entered()
    assert call.cancel(timeout=LIMIT_S) == "cancelled"


def test_it_can_be_raised_by_anybody(serve):
    def raises(client_socket, state, args):
        raise bgpy.Cancelled("of my own accord")

    with pytest.raises(bgpy.RemoteError, match="of my own accord"):
        serve(raises).call(None)
