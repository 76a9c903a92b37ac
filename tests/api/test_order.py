"""Tasks run one at a time, in the order of their acceptance, on the main thread of the process."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bgpy import Client, RemoteError, respond

HOST = "127.0.0.1"


def collect(client_socket, state, args):
    state.setdefault("seen", []).append(args)
    respond(client_socket, state["seen"])


def test_calls_of_one_client_run_in_their_order(serve):
    client = serve(collect)
    for number in range(500):
        client.execute(number)
    assert client.call("last") == [*range(500), "last"]


def test_calls_of_many_clients_run_in_the_order_of_their_acceptance(serve):
    first = serve(collect)
    clients = [first, *(Client(HOST, first.port) for _ in range(4))]
    for number in range(200):
        clients[number % 5].execute(number)
    assert first.call("last") == [*range(200), "last"]


def test_what_waits_behind_a_long_task_keeps_its_order(serve, gate):
    def wait_first(client_socket, state, args):
        if args == "first":
            gate.enter()
        collect(client_socket, state, args)

    client = serve(wait_first)
    other = Client(HOST, client.port)
    client.execute("first")
    gate.wait_entered()
    for number in range(0, 100, 2):
        client.execute(number)
        other.execute(number + 1)
    gate.open()
    assert other.call("last") == ["first", *range(100), "last"]


def test_tasks_run_one_at_a_time(serve):
    def overlap(client_socket, state, args):
        state["running"] += 1
        state["most"] = max(state["most"], state["running"])
        # Gives other threads of the server every chance to run.
        os.sched_yield()
        threading.Event().wait(0.001)
        state["running"] -= 1
        respond(client_socket, state["most"])

    first = serve(overlap, lambda: {"running": 0, "most": 0})

    def use_own_client(_):
        with Client(HOST, first.port) as client:
            return [client.call({}) for _ in range(10)]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(use_own_client, range(8))) == [[1] * 10] * 8


def test_every_task_runs_on_the_main_thread(serve):
    def is_main():
        return threading.current_thread() is threading.main_thread()

    def init(client_socket):
        return {"init": is_main()}

    def tell(client_socket, state, args):
        respond(client_socket, (state["init"], is_main()))

    client = serve(tell, init, tell)
    assert client.call({}) == (True, True)
    assert Client(HOST, client.port).call({}) == (True, True)
    assert client.terminate(await_response=True) == (True, True)


def test_a_connection_of_sqlite_serves_all_tasks(serve):
    def init():
        base = sqlite3.connect(":memory:")
        base.execute("create table seen (number integer)")
        return {"base": base}

    def insert(client_socket, state, args):
        state["base"].execute("insert into seen values (?)", (args,))

    def total(client_socket, state, args):
        respond(client_socket, state["base"].execute("select sum(number) from seen").fetchone())

    client = serve(insert, init, total)
    for number in range(1, 11):
        Client(HOST, client.port).execute(number)
    assert client.terminate(await_response=True) == (55,)


def test_a_signal_handler_of_a_task_works_while_the_server_is_idle(serve, gate):
    def init():
        signal.signal(signal.SIGUSR1, lambda *_: gate.tell())
        return {}

    client = serve(lambda client_socket, state, args: respond(client_socket, os.getpid()), init)
    pid = client.call({})
    for _ in range(3):
        os.kill(pid, signal.SIGUSR1)
        gate.wait_entered()
    assert client.call({}) == pid


def test_a_signal_handler_of_a_task_may_raise_into_a_running_one(serve, gate):
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm("wake up")

    def init():
        signal.signal(signal.SIGUSR1, ring)
        return {}

    client = serve(lambda *_: gate.enter(), init)
    pid = client.status()["pid"]

    def wake():
        gate.wait_entered()
        os.kill(pid, signal.SIGUSR1)

    waker = threading.Thread(target=wake)
    waker.start()
    with pytest.raises(RemoteError, match="Alarm: wake up"):
        client.call({})
    waker.join()
    assert client.status()["state"] == "READY"


def test_a_signal_handler_that_raises_between_calls_ends_no_server(serve, gate):
    def fail(*_):
        gate.tell()
        raise ValueError("nobody hears this")

    def init():
        signal.signal(signal.SIGUSR1, fail)
        return {}

    client = serve(lambda client_socket, state, args: respond(client_socket, args), init)
    os.kill(client.status()["pid"], signal.SIGUSR1)
    gate.wait_entered()
    assert client.call("alive") == "alive"


def test_an_interval_timer_of_a_task_rings(serve, gate):
    def init():
        signal.signal(signal.SIGALRM, lambda *_: gate.tell())
        return {}

    def set_timer(client_socket, state, args):
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    client = serve(set_timer, init)
    client.execute({})
    gate.wait_entered()
    client.ping()
