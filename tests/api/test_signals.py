"""Signals end a server in good order, and a waiting client at once."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.processes import KILLED

from bgpy import Client, RemoteError, ServerStopping, respond

HOST = "127.0.0.1"
LIMIT_S = 20
SOON_S = 5


@pytest.fixture
def exited(tmp_path):
    """Return the file that exit_task writes."""
    return tmp_path / "exited"


@pytest.fixture
def begin(start, gate, exited):
    """Return a function that starts a server whose tasks wait at the gate when told to."""

    def run(client_socket, state, args):
        if args == "wait":
            gate.enter()
        state["seen"] = args
        respond(client_socket, args)

    def leave(client_socket, state, args):
        exited.write_text(repr((state, args)))
        respond(client_socket, "nobody asked")

    def begin():
        server = start()
        client = Client(HOST, server.port)
        client.initialize(dict, run, leave)
        return server, client

    return begin


def wait_until_stopping(client):
    limit = time.monotonic() + LIMIT_S
    while client.status(timeout=LIMIT_S)["state"] != "STOPPING":
        assert time.monotonic() < limit


def assert_gone(server, runtime):
    assert [path.suffix for path in runtime.iterdir() if path.name != "ended"] == [".log"]
    assert not server.is_alive()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_server(begin, runtime, exited, number):
    server, client = begin()
    client.call("last")
    os.kill(server.pid, number)
    assert server.wait(LIMIT_S) == 0
    assert exited.read_text() == "({'seen': 'last'}, {})"
    assert_gone(server, runtime)
    assert "stop requested" in server.log_file.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_server_without_tasks(start, runtime, number):
    server = start()
    os.kill(server.pid, number)
    assert server.wait(LIMIT_S) == 0
    assert_gone(server, runtime)


def test_a_signal_lets_the_running_call_end_and_refuses_those_that_wait(
    begin, gate, runtime, exited
):
    server, client = begin()
    with ThreadPoolExecutor(3) as threads:
        running = threads.submit(client.call, "wait")
        gate.wait_entered()
        queued = [threads.submit(Client(HOST, server.port).call, n) for n in range(2)]
        while client.status()["queue"] < 2:
            pass
        os.kill(server.pid, signal.SIGTERM)
        for call in queued:
            with pytest.raises(ServerStopping):
                call.result(LIMIT_S)
        with pytest.raises(ServerStopping):
            client.call("too late")
        assert not running.done()
        assert not exited.exists()
        gate.open()
        assert running.result(LIMIT_S) == "wait"
    assert server.wait(LIMIT_S) == 0
    assert exited.read_text() == "({'seen': 'wait'}, {})"
    assert_gone(server, runtime)


def test_a_server_that_is_told_to_end_gives_up_its_address(begin, gate, start):
    server, client = begin()
    client.execute("wait")
    gate.wait_entered()
    os.kill(server.pid, signal.SIGTERM)
    wait_until_stopping(client)
    successor = start(port=server.port)
    assert Client(HOST, server.port).status()["pid"] == successor.pid
    gate.open()
    assert server.wait(LIMIT_S) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_interrupts_the_running_task(begin, gate, exited, number):
    server, client = begin()
    other = Client(HOST, server.port)
    other.ping()
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.call, "wait")
        gate.wait_entered()
        os.kill(server.pid, number)
        wait_until_stopping(other)
        assert not call.done()
        os.kill(server.pid, number)
        with pytest.raises(RemoteError, match="KeyboardInterrupt"):
            call.result(LIMIT_S)
    assert server.wait(LIMIT_S) == 0
    assert exited.exists()


@pytest.mark.slow
def test_a_task_that_does_not_end_is_given_half_a_minute(begin, gate, runtime):
    server, client = begin()
    client.execute("wait")
    gate.wait_entered()
    began = time.monotonic()
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait(30 + LIMIT_S) == KILLED
    assert time.monotonic() - began >= 30
    assert_gone(server, runtime)
    assert "not ended within 30s of being told to: killed" in server.log_file.read_text()


def test_a_failing_exit_task_is_seen_in_the_exit_code(start):
    def fail(client_socket, state, args):
        raise ValueError("cannot save")

    server = start()
    Client(HOST, server.port).initialize(dict, print, fail)
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait(LIMIT_S) == 1
    assert "cannot save" in server.log_file.read_text()


def test_a_signal_ends_a_server_that_is_still_starting(start, tmp_path, gate):
    tasks = tmp_path / "tasks.py"
    tasks.write_text(
        "import os, signal\n"
        "def init_task():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return {}\n"
        "def exec_task(*_): pass\n"
        f"def exit_task(*_): open({gate.coming!r}, 'w').write('.')\n"
    )
    server = start(init_file=tasks)
    assert server.wait(LIMIT_S) == 0
    gate.wait_entered()


WAIT = """
import os, signal, sys
from bgpy import Client

client = Client("127.0.0.1", int(sys.argv[1]))
"""


def test_ctrl_c_ends_a_waiting_client_and_spares_its_connection(begin, gate, scripts):
    server, _ = begin()
    script = scripts.spawn(
        WAIT
        + """
try:
    client.call("wait")
except KeyboardInterrupt:
    print("interrupted", client.status()["clients"], flush=True)
input()
print(client.call("later"))
        """,
        server.port,
        stdin=subprocess.PIPE,
    )
    gate.wait_entered()
    began = time.monotonic()
    script.send_signal(signal.SIGINT)
    # The test's own client is the other one.
    assert script.stdout.readline() == "interrupted 2\n"
    assert time.monotonic() - began < SOON_S
    printed, _ = script.communicate("\n", timeout=LIMIT_S)
    assert printed == "later\n"


def test_ctrl_c_ends_a_waiting_script(begin, gate, scripts):
    server, client = begin()
    script = scripts.spawn(WAIT + 'client.call("wait")', server.port)
    gate.wait_entered()
    script.send_signal(signal.SIGINT)
    assert script.wait(LIMIT_S) == -signal.SIGINT
    assert "KeyboardInterrupt" in script.stderr.read()
    # The task was interrupted, too.
    limit = time.monotonic() + LIMIT_S
    while client.status()["state"] != "READY":
        assert time.monotonic() < limit


def test_what_a_signal_handler_raises_ends_the_wait(begin, gate, scripts):
    server, _ = begin()
    script = scripts.spawn(
        WAIT
        + """
class Alarm(Exception):
    pass

def ring(*_):
    raise Alarm

signal.signal(signal.SIGUSR1, ring)
try:
    client.call("wait")
except Alarm:
    print("rung", client.status()["state"])
        """,
        server.port,
    )
    gate.wait_entered()
    script.send_signal(signal.SIGUSR1)
    assert script.communicate(timeout=LIMIT_S)[0] == "rung BUSY\n"


def test_a_signal_handler_that_returns_leaves_the_wait_alone(begin, gate, scripts):
    server, _ = begin()
    script = scripts.spawn(
        WAIT
        + """
signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"rung\\n"))
print(client.call("wait"))
        """,
        server.port,
    )
    gate.wait_entered()
    for _ in range(3):
        script.send_signal(signal.SIGUSR1)
        assert script.stdout.readline() == "rung\n"
    gate.open()
    assert script.communicate(timeout=LIMIT_S)[0] == "wait\n"


def test_ctrl_c_ends_a_start_and_leaves_nothing_running(scripts, tmp_path, gate):
    tasks = tmp_path / "tasks.py"
    tasks.write_text(
        "import os\n"
        f"with open({gate.coming!r}, 'w') as coming: coming.write('.')\n"
        f"open({gate.leaving!r}).read(1)\n"
    )
    script = scripts.spawn(
        """
        import sys
        from bgpy import Server

        server = Server("127.0.0.1", 0, init_file=sys.argv[1])
        try:
            server.run_background()
        except KeyboardInterrupt:
            print("interrupted", server.pid)
        """,
        tasks,
    )
    gate.wait_entered()
    script.send_signal(signal.SIGINT)
    # Standard error is the log of the server, so that only its end says that nobody is left.
    assert script.communicate(timeout=LIMIT_S)[0] == "interrupted None\n"


def test_a_waiting_thread_does_not_keep_signals_from_the_main_one(begin, gate, scripts):
    server, _ = begin()
    script = scripts.spawn(
        WAIT
        + """
import threading
waiting = threading.Thread(target=client.call, args=("wait",), daemon=True)
waiting.start()
try:
    print("started", flush=True)
    threading.Event().wait()
except KeyboardInterrupt:
    print("interrupted", waiting.is_alive(), flush=True)
        """,
        server.port,
    )
    gate.wait_entered()
    assert script.stdout.readline() == "started\n"
    script.send_signal(signal.SIGINT)
    assert script.stdout.readline() == "interrupted True\n"
    assert script.wait(LIMIT_S) == 0


def test_the_signal_handlers_of_a_program_come_back_after_a_foreground_server(scripts):
    printed = scripts.run(
        """
        import os, signal, threading
        from bgpy import Client, Server

        before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
        server = Server("127.0.0.1", 0, init_file=None)
        os.kill(os.getpid(), 0)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        server.run()
        print(before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)])
        """
    )
    assert printed == "True\n"
