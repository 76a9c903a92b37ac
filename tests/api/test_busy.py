"""While a task runs, the server still takes calls, answers questions and notices who leaves."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bgpy import CallTimeout, Client, respond

HOST = "127.0.0.1"
LIMIT_S = 20


@pytest.fixture
def busy(serve, gate):
    """Return a client of a server that is running a task, which waits at the gate."""

    def run(client_socket, state, args):
        state.setdefault("seen", []).append(args)
        if args == "wait":
            gate.enter()
        respond(client_socket, state["seen"])

    client = serve(run)
    client.execute("wait")
    gate.wait_entered()
    return client


def poll(client, until):
    """Ask for the status until it is as wanted."""
    limit = time.monotonic() + LIMIT_S
    while not until(status := client.status(timeout=LIMIT_S)):
        assert time.monotonic() < limit, status
    return status


def test_another_client_comes_in_and_is_answered(busy):
    other = Client(HOST, busy.port)
    other.ping(timeout=LIMIT_S)
    assert other.status(timeout=LIMIT_S)["clients"] == 2


def test_a_call_without_a_response_returns_at_once(busy, gate):
    other = Client(HOST, busy.port)
    assert other.execute("queued", timeout=LIMIT_S) == {"message": "Received 'EXEC'"}
    assert busy.execute("behind", timeout=LIMIT_S) == {"message": "Received 'EXEC'"}
    status = other.status(timeout=LIMIT_S)
    assert (status["state"], status["queue"]) == ("BUSY", 2)
    gate.open()
    assert busy.call("last") == ["wait", "queued", "behind", "last"]


def test_the_status_tells_for_how_long(busy, gate):
    first = poll(busy, lambda status: status["busy_s"] > 0)
    assert first["state"] == "BUSY"
    later = poll(busy, lambda status: status["busy_s"] > first["busy_s"] + 0.01)
    assert later["uptime_s"] > first["uptime_s"]
    gate.open()
    idle = poll(busy, lambda status: status["state"] == "READY")
    assert (idle["busy_s"], idle["queue"], idle["calls"]) == (None, 0, 1)


def test_the_status_tells_for_how_long_also_of_a_task_that_waited(busy, gate):
    busy.execute("wait")
    gate.open()
    gate.wait_entered()
    poll(busy, lambda status: status["busy_s"] > 0.01)


def test_the_server_is_alive_for_whoever_asks(start, gate):
    server = start()
    client = Client(HOST, server.port)
    client.initialize(dict, lambda *_: gate.enter(), print)
    client.execute({})
    gate.wait_entered()
    assert server.is_alive()


def test_a_call_that_waits_in_vain_never_runs(busy, gate):
    other = Client(HOST, busy.port)
    with pytest.raises(CallTimeout, match=f"{HOST}:{busy.port}"):
        other.call("never", timeout=0.1)
    with pytest.raises(CallTimeout):
        other.execute("never", await_response=True, timeout=0.1)
    assert poll(other, lambda status: status["queue"] == 0)["state"] == "BUSY"
    gate.open()
    assert other.call("last") == ["wait", "last"]


def test_a_timeout_during_the_task_ends_only_the_wait(serve, gate):
    def run(client_socket, state, args):
        if args == "wait":
            gate.enter()
            state["ended"] = True
        respond(client_socket, dict(state))

    client = serve(run)
    with pytest.raises(CallTimeout, match=r"within 0\.2s"):
        client.call("wait", timeout=0.2)
    gate.wait_entered()
    assert client.status()["state"] == "BUSY"
    gate.open()
    assert client.call("ask") == {"ended": True}


def test_a_call_of_a_client_that_left_after_its_acceptance_runs(busy, gate):
    with Client(HOST, busy.port) as other:
        other.execute("posthumous")
    gate.open()
    assert busy.call("last") == ["wait", "posthumous", "last"]


def test_clients_that_leave_are_noticed(busy):
    others = [Client(HOST, busy.port) for _ in range(3)]
    for other in others:
        other.ping()
    assert busy.status()["clients"] == 4
    for other in others:
        other.close()
    poll(busy, lambda status: status["clients"] == 1)


def test_many_clients_come_in_at_once(busy, gate):
    def come(number):
        with Client(HOST, busy.port) as client:
            client.ping(timeout=LIMIT_S)
            client.execute(number, timeout=LIMIT_S)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(come, range(100)))
    assert busy.status()["queue"] == 100
    gate.open()
    assert sorted(busy.call(100)[1:]) == list(range(101))


def test_a_large_message_is_taken_while_a_task_runs(busy, gate):
    other = Client(HOST, busy.port)
    other.execute(bytes(10 << 20), timeout=LIMIT_S)
    gate.open()
    assert len(busy.call("last")[1]) == 10 << 20


def test_init_task_keeps_the_server_busy_too(start, gate):
    client, other = (Client(HOST, port) for port in [start().port] * 2)

    def init():
        gate.enter()
        return {"ready": True}

    def tell(client_socket, state, args):
        respond(client_socket, state)

    thread = threading.Thread(target=client.initialize, args=(init, tell, print))
    thread.start()
    gate.wait_entered()
    assert other.status()["state"] == "BUSY"
    # Accepted in the hope that the tasks will be there.
    other.execute({}, timeout=LIMIT_S)
    gate.open()
    assert other.call({}) == {"ready": True}
    thread.join()
    poll(other, lambda status: status["calls"] == 2)


def test_a_task_that_holds_the_interpreter_keeps_nobody_out(serve, gate):
    def add_up(client_socket, state, args):
        gate.tell()
        # One operation of the interpreter, which lets no other Python thread run meanwhile.
        sum(range(10**9))

    client = serve(add_up)
    client.execute({})
    gate.wait_entered()
    other = Client(HOST, client.port)
    other.ping(timeout=LIMIT_S)
    other.execute({}, timeout=LIMIT_S)
    assert other.status(timeout=LIMIT_S)["state"] == "BUSY"


def test_a_task_may_call_its_own_server_without_waiting(start):
    port = start().port

    def init():
        return {"client": Client(HOST, port), "seen": []}

    def count_down(client_socket, state, number):
        state["seen"].append(number)
        if number > 0:
            state["client"].execute(number - 1, timeout=LIMIT_S)
        respond(client_socket, state["seen"])

    client = Client(HOST, port)
    client.initialize(init, count_down, print)
    client.execute(3)
    poll(client, lambda status: status["calls"] == 4)
    assert client.call(0) == [3, 2, 1, 0, 0]
