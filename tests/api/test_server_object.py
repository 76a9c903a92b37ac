"""A `Server` starts, watches and ends the process that it stands for."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from support.processes import KILL, KILLED, stand_still

from bgpy import CallTimeout, Client, RemoteError, Server, StartError, respond, token_create

HOST = "127.0.0.1"
LIMIT_S = 20
SOON_S = 5


def echo(client_socket, state, args):
    respond(client_socket, args)


def test_wait_returns_the_exit_code(start):
    server = start()
    client = Client(HOST, server.port)
    client.initialize(dict, echo, echo)
    client.terminate()
    assert server.wait(LIMIT_S) == 0
    assert server.wait() == 0


def test_wait_for_a_server_that_lives_ends_in_time(start):
    server = start()
    with pytest.raises(CallTimeout, match=f"{HOST}:{server.port} has not ended within 0.1s"):
        server.wait(0.1)
    assert server.is_alive()


def test_wait_tells_the_signal_that_killed(start):
    server = start()
    os.kill(server.pid, KILL)
    assert server.wait(LIMIT_S) == KILLED


def test_wait_for_a_server_of_somebody_else(start):
    server = start()
    watcher = Server(HOST, server.port)
    with pytest.raises(CallTimeout):
        watcher.wait(0.1)
    server.stop()
    assert watcher.wait(LIMIT_S) is None
    assert watcher.pid is None


def test_stop_runs_exit_task_and_returns_after_the_end(start, tmp_path):
    server = start()
    left = tmp_path / "left"

    def leave(client_socket, state, args):
        left.write_text(repr(args))

    Client(HOST, server.port).initialize(dict, echo, leave)
    server.stop()
    assert left.read_text() == "{}"
    assert server.wait(0) == 0
    assert not server.is_alive()
    server.stop()


def test_stop_ends_a_server_of_somebody_else(start):
    server = start()
    Server(HOST, server.port).stop(LIMIT_S)
    assert server.wait(LIMIT_S) == 0


def test_stop_lets_accepted_calls_run(start, tmp_path, gate):
    server = start()
    client = Client(HOST, server.port)
    done = tmp_path / "done"

    def run(client_socket, state, args):
        if args == "wait":
            gate.enter()
        else:
            done.touch()

    client.initialize(dict, run, echo)
    client.execute("wait")
    gate.wait_entered()
    client.execute("finish")
    with pytest.raises(CallTimeout):
        server.stop(0.1)
    gate.open()
    assert server.wait(LIMIT_S) == 0
    assert done.exists()


def test_stop_of_a_server_without_tasks(start):
    server = start()
    server.stop()
    assert server.wait(0) == 0


def test_stop_where_nothing_runs():
    Server(HOST, 1).stop()


def test_stop_of_a_server_that_was_killed(start):
    server = start()
    os.kill(server.pid, KILL)
    server.stop()
    assert server.wait(LIMIT_S) == KILLED


def test_a_server_that_has_ended_can_be_stopped_waited_for_and_asked(start):
    server = start()
    server.stop()
    assert (server.wait(), server.is_alive(), server.stop()) == (0, False, None)


def test_is_alive_asks_whoever_listens(start):
    server = start()
    assert server.is_alive()
    assert Server(HOST, server.port).is_alive()
    assert not Server(HOST, 1).is_alive()


def test_is_alive_is_false_for_a_server_that_stands_still(start):
    server = start()
    stand_still(server.pid)
    began = time.monotonic()
    assert not server.is_alive(timeout=0.1)
    assert time.monotonic() - began < SOON_S
    os.kill(server.pid, signal.SIGCONT)
    assert server.is_alive()


def test_the_process_id_is_the_servers_own(start):
    server = start()
    assert server.pid == Client(HOST, server.port).status()["pid"]
    assert server.pid != os.getpid()
    assert Server(HOST, 1).pid is None


def test_a_block_starts_and_stops_the_server():
    with Server(HOST, 0) as server:
        pid = server.pid
        assert server.is_alive()
    assert server.wait(0) == 0
    assert pid == server.pid


def test_a_block_stops_a_server_that_was_started_before(start):
    server = start()
    with server as inside:
        assert inside is server
        assert server.is_alive()
    assert not server.is_alive()


def test_a_block_stops_the_server_when_it_fails():
    with pytest.raises(KeyError), Server(HOST, 0) as server:
        raise KeyError
    assert server.wait(0) == 0


def test_a_server_object_may_be_forgotten(start):
    client = Client(HOST, start().port)
    with Server(HOST, 0) as other:
        del other
    assert client.status()["state"] == "UNINITIALIZED"


def test_repr_and_str_show_the_address_and_no_token(start):
    token = token_create()
    for thing in (start(token=token), Server(HOST, 1, token), Client(HOST, 1, token)):
        assert repr(thing) == f'{type(thing).__name__}("{HOST}", {thing.port})'
        assert token not in str(thing)


def test_attributes_are_readable_under_the_names_of_the_parameters(tmp_path):
    (tmp_path / "tasks.py").touch()
    log, tasks = tmp_path / "a.log", tmp_path / "tasks.py"
    server = Server(HOST, 1, "secret", "DEBUG", log, tasks)
    assert (server.host, server.port, server.token) == (HOST, 1, "secret")
    assert (server.log_level, server.log_file, server.init_file) == ("DEBUG", log, tasks)
    client = Client(HOST, 1, "secret", "DEBUG", log)
    assert (client.host, client.port, client.token) == (HOST, 1, "secret")
    assert (client.log_level, client.log_file) == ("DEBUG", log)


def test_the_log_level_decides_what_is_logged(start, tmp_path):
    def end(level):
        server = start(log_level=level, log_file=tmp_path / f"{level}.log")
        Client(HOST, server.port).ping()
        server.stop()
        return server.log_file.read_text()

    assert "client connected" in end("debug")
    info = end("INFO")
    assert "listens on" in info
    assert "client connected" not in info
    assert end("ERROR") == ""


FOREGROUND = """
import sys
from bgpy import Client, Server

def init():
    return {}

server = Server("127.0.0.1", int(sys.argv[1]), init_file=sys.argv[2] or None)
try:
    server.run()
except Exception as error:
    print(type(error).__name__, error)
else:
    print("ended")
"""


def foreground(scripts, port, init_file=""):
    script = scripts.spawn(FOREGROUND, port, init_file)
    for line in script.stderr:
        if "listens on" in line:
            return script, int(line.rpartition(":")[2])
    raise AssertionError(script.stdout.read())


def test_a_server_in_the_foreground_runs_until_it_is_terminated(scripts):
    script, port = foreground(scripts, 0)
    client = Client(HOST, port)
    assert client.status()["pid"] == script.pid
    client.initialize(dict, echo, echo)
    assert client.call("here") == "here"
    assert script.poll() is None
    client.terminate()
    assert script.communicate(timeout=LIMIT_S)[0] == "ended\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_in_the_foreground_runs_until_a_signal(scripts, tmp_path, number):
    script, port = foreground(scripts, 0)

    def leave(client_socket, state, args):
        (tmp_path / "left").touch()

    Client(HOST, port).initialize(dict, echo, leave)
    script.send_signal(number)
    assert script.communicate(timeout=LIMIT_S)[0] == "ended\n"
    assert script.returncode == 0
    assert (tmp_path / "left").exists()


def test_a_failing_exit_task_is_raised_in_the_foreground(scripts):
    script, port = foreground(scripts, 0)

    def fail(client_socket, state, args):
        raise ValueError("cannot save")

    Client(HOST, port).initialize(dict, echo, fail)
    script.send_signal(signal.SIGTERM)
    printed = script.communicate(timeout=LIMIT_S)[0]
    assert printed.startswith("RemoteError")
    assert "cannot save" in printed


def test_errors_of_a_start_in_the_foreground_are_raised(scripts, start, tmp_path):
    port = start().port
    assert f"AddressInUse {HOST}:{port}" in scripts.run(FOREGROUND, port, "")
    tasks = tmp_path / "tasks.py"
    tasks.write_text("def init_task(): pass")
    printed = scripts.run(FOREGROUND, 0, tasks)
    assert printed.startswith("StartError")
    assert str(tasks) in printed


def test_a_server_may_run_in_a_thread_of_the_program(scripts):
    printed = scripts.run(
        """
        import socket, threading
        from bgpy import Client, Server, respond

        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = Server("127.0.0.1", port)
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.is_alive():
            pass
        with Client("127.0.0.1", port) as client:
            client.initialize(dict, lambda caller, state, args: respond(caller, args), print)
            print(client.call("same process"))
        server.stop()
        thread.join()
        """
    )
    assert printed.startswith("same process\n")


def test_a_second_start_names_the_first(start):
    server = start()
    with pytest.raises(StartError, match=f"pid {server.pid}"):
        server.run_background()


def test_a_failed_exit_task_is_no_error_of_stop(start):
    def fail(client_socket, state, args):
        raise ValueError

    server = start()
    client = Client(HOST, server.port)
    client.initialize(dict, echo, fail)
    server.stop()
    assert server.wait(0) == 1
    assert issubclass(RemoteError, Exception)


def test_a_child_that_has_ended_is_no_zombie(start):
    server = start()
    server.stop()
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(server.pid)], capture_output=True, text=True, check=False
    )
    assert state.stdout == ""
