"""What was broken in bgpy 0.3.1: a test for each defect."""

from __future__ import annotations

import importlib.metadata
import os
import pickle
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from bgpy import (
    AddressInUse,
    AuthError,
    Client,
    NoResponse,
    NotInitialized,
    RemoteError,
    SerializationError,
    Server,
    StartError,
    respond,
    token_create,
)

HOST = "127.0.0.1"
LIMIT_S = 20
LOG_BYTES = 10 << 20


def echo(client_socket, state, args):
    respond(client_socket, args)
    return state


class Fragile:
    """An object that nobody else can unpickle."""

    def __reduce__(self):
        return int, ("not a number",)


class Mark:
    """An object that makes a directory when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def stranger(port):
    """Connect to a server without shaking hands."""
    connection = socket.create_connection((HOST, port))
    connection.settimeout(LIMIT_S)
    return connection


def read_to_the_end(connection):
    try:
        return connection.recv(1 << 16)
    except ConnectionResetError:
        return b""


def test_nothing_sleeps(start):
    began = time.monotonic()
    server = start()
    client = Client(HOST, server.port)
    client.initialize(dict, echo, echo)
    for number in range(100):
        client.execute(number)
        assert client.execute(number, await_response=True) == number
    client.terminate(await_response=True)
    # It took 140 s there.
    assert time.monotonic() - began < 5


def test_large_messages_are_no_special_case(serve):
    client = serve(echo)
    data = os.urandom(10 << 20)
    began = time.monotonic()
    assert client.call(data) == data
    # It took 24 to 48 s there, one way.
    assert time.monotonic() - began < 5


def test_a_raising_exec_task(serve):
    def fail(client_socket, state, args):
        if args == "fail":
            raise KeyError(args)
        respond(client_socket, args)

    client = serve(fail)
    assert client.execute("fail") == {"message": "Received 'EXEC'"}
    with pytest.raises(RemoteError, match="KeyError: 'fail'"):
        client.execute("fail", await_response=True)
    assert client.call("alive") == "alive"


def test_a_response_that_nobody_awaits(serve):
    client = serve(echo, log_level="DEBUG")
    client.execute("unheard")
    assert client.call("alive") == "alive"
    (entry,) = [
        os.path.join(os.environ["BGPY_RUNTIME_DIR"], name)
        for name in os.listdir(os.environ["BGPY_RUNTIME_DIR"])
        if name.endswith(".log")
    ]
    with open(entry) as log:
        assert "was dropped: not awaited" in log.read()


def test_a_response_that_cannot_be_pickled(serve):
    def answer(client_socket, state, args):
        respond(client_socket, threading.Lock() if args == "lock" else args)

    client = serve(answer)
    with pytest.raises(RemoteError, match="cannot be pickled"):
        client.call("lock")
    assert client.call("alive") == "alive"


def test_a_task_that_returns_none(serve):
    def count(client_socket, state, args):
        state["count"] = state.get("count", 0) + 1
        respond(client_socket, state["count"])

    client = serve(count)
    assert [client.call({}) for _ in range(3)] == [1, 2, 3]


def test_a_task_that_cannot_be_unpickled(start):
    client = Client(HOST, start().port)

    class Task(Fragile):
        def __call__(self, *_):
            pass

    with pytest.raises(SerializationError, match="not a number"):
        client.initialize(Task(), Task(), Task())
    assert client.initialize(dict, echo, echo) == {"message": "Initialization successful."}


def test_tasks_of_main(scripts, port):
    printed = scripts.run(
        """
        import sys
        from bgpy import execute, initialize, respond, terminate

        def init_task(client_socket):
            return {"value": 1}

        def exec_task(client_socket, state, args):
            state["value"] += helper(args)
            return state

        def exit_task(client_socket, state, args):
            respond(client_socket, state)

        def helper(number):
            return number * FACTOR

        FACTOR = 2
        port = int(sys.argv[1])
        print(initialize(init_task, exec_task, exit_task, port=port))
        execute(20, port=port)
        print(terminate(await_response=True, port=port))
        """,
        port,
    )
    assert printed == "{'message': 'Initialization successful.'}\n{'value': 41}\n"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        pickle.dumps({"type": "INIT"}),
        struct.pack("<Q", 2**63) * 4,
        bytes(1000),
    ],
    ids=["http", "pickle", "length", "zeros"],
)
def test_a_stranger(serve, data):
    client = serve(echo)
    with stranger(client.port) as connection:
        connection.sendall(data)
        assert read_to_the_end(connection) == b""
    assert client.call("alive") == "alive"


def test_a_connection_reset_before_the_handshake(serve):
    client = serve(echo)
    for data in (b"", b"bgpy"):
        connection = stranger(client.port)
        connection.sendall(data)
        # Closing with unread time left sends a reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert client.call("alive") == "alive"


def test_what_strangers_send_is_logged(start):
    server = start()
    with stranger(server.port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        read_to_the_end(connection)
    server.stop()
    assert "refused" in server.log_file.read_text()


def test_a_silent_client(serve):
    client = serve(echo)
    strangers = [stranger(client.port) for _ in range(20)]
    assert Client(HOST, client.port).call("at once", timeout=LIMIT_S) == "at once"
    for connection in strangers:
        connection.close()


def test_a_task_that_never_responds(serve):
    client = serve(lambda client_socket, state, args: state)
    with pytest.raises(NoResponse):
        client.execute({}, await_response=True)
    assert client.terminate() == {"message": "Received 'EXIT'"}


def test_execute_before_initialize(start):
    client = Client(HOST, start().port)
    for await_response in (False, True):
        with pytest.raises(NotInitialized):
            client.execute({}, await_response)


def test_pickles_of_strangers_are_never_opened(serve, tmp_path):
    client = serve(echo, token=token_create())
    for data in (
        pickle.dumps(Mark(tmp_path / "mark")),
        b"bgpy\x01\x01\0\0" + pickle.dumps(Mark(tmp_path / "mark")),
    ):
        with stranger(client.port) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            assert read_to_the_end(connection) == b""
    assert client.call("alive") == "alive"
    assert not (tmp_path / "mark").exists()


def test_token_and_messages_travel_encrypted(start, tmp_path, monkeypatch):
    token = token_create()
    server = start(token=token)
    Client(HOST, server.port, token=token).initialize(dict, echo, echo)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    seen = bytearray()

    def pass_on(source, sink):
        while data := source.recv(1 << 16):
            seen.extend(data)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    with socket.create_server((HOST, 0)) as listener:

        def listen():
            with listener.accept()[0] as near, stranger(server.port) as far:
                back = threading.Thread(target=pass_on, args=(far, near))
                back.start()
                pass_on(near, far)
                back.join()

        tap = threading.Thread(target=listen)
        tap.start()
        with Client(HOST, listener.getsockname()[1], token=token) as client:
            assert client.call("a secret, told twice") == "a secret, told twice"
        tap.join()
    assert len(seen) > 200
    assert token.encode() not in seen
    assert b"secret" not in seen


def test_a_foreground_server_has_the_token_it_was_given(scripts):
    token = token_create()
    script = scripts.spawn(
        """
        import os, sys
        from bgpy import Server

        Server("127.0.0.1", 0, token=sys.stdin.readline()).run()
        print("BGPY_TOKEN" in os.environ)
        """,
        stdin=subprocess.PIPE,
    )
    script.stdin.write(token)
    script.stdin.close()
    script.stdin = None
    port = int(script.stderr.readline().rpartition(":")[2])
    with pytest.raises(AuthError):
        Client(HOST, port, token="wrong").ping()
    Client(HOST, port, token=token).terminate()
    assert script.communicate(timeout=60)[0] == "False\n"


def test_a_stale_token_of_the_environment(start, monkeypatch):
    server = start(token=None)
    monkeypatch.setenv("BGPY_TOKEN", "stale")
    Client(HOST, server.port, token=None).ping()
    other = start(token="explicit")
    Client(HOST, other.port, token="explicit").ping()
    Client(HOST, other.port, token=None).ping()


def test_a_wrong_token(start):
    server = start(token=token_create())
    with pytest.raises(AuthError, match="token"):
        Client(HOST, server.port, token=token_create()).execute({})


def test_a_busy_port(console):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUse):
            Server(HOST, port).run_background()
        command = subprocess.run(
            [console, "server", HOST, str(port)], capture_output=True, timeout=60, check=False
        )
        assert command.returncode != 0
        assert b"in use" in command.stderr


def test_the_server_is_detached(scripts):
    # Ends only when nobody holds the script's standard output any more.
    port, pid = scripts.run(
        """
        from bgpy import Server
        server = Server("127.0.0.1", 0)
        server.run_background()
        print(server.port, server.pid)
        """
    ).split()
    assert os.getsid(int(pid)) != os.getsid(0)
    Client(HOST, int(port)).ping()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_run_exit_task(start, tmp_path, number):
    server = start()
    left = tmp_path / "left"
    Client(HOST, server.port).initialize(dict, echo, lambda *_: left.touch())
    os.kill(server.pid, number)
    assert server.wait(LIMIT_S) == 0
    assert left.exists()


def test_the_arguments_of_the_caller_stay_as_they_are(serve):
    client = serve(echo)
    args = {"command": "increase"}
    client.execute(args)
    client.execute(args, await_response=True)
    client.terminate(args, await_response=False)
    assert args == {"command": "increase"}


@pytest.fixture
def chatty(start, tmp_path, gate):
    """Return a client of a server whose task prints as many lines of a KiB as it is told."""

    def speak(client_socket, state, args):
        lines, then = args
        for _ in range(lines):
            print("x" * 1023)
        if then == "wait":
            gate.enter()
        if then == "fail":
            raise ValueError("after printing")

    client = Client(HOST, start(log_file=tmp_path / "server.log").port)
    client.initialize(dict, speak, echo)
    return client


def wait_for(path, client):
    limit = time.monotonic() + LIMIT_S
    while not path.exists():
        client.ping(LIMIT_S)
        assert time.monotonic() < limit, f"{path} does not appear"


def test_prints_of_tasks_rotate_the_log(chatty, tmp_path):
    chatty.execute((11 << 10, "end"))
    # The server is kept busy with short requests meanwhile, and has a new log a moment later.
    wait_for(tmp_path / "server.log.1", chatty)
    wait_for(tmp_path / "server.log", chatty)
    assert (tmp_path / "server.log.1").stat().st_size > LOG_BYTES
    assert (tmp_path / "server.log").stat().st_size < LOG_BYTES


def test_prints_of_a_task_that_runs_on_rotate_the_log(chatty, tmp_path, gate):
    chatty.execute((11 << 10, "wait"))
    gate.wait_entered()
    wait_for(tmp_path / "server.log.1", chatty)
    gate.open()


def test_the_logs_together_are_bounded(chatty, tmp_path):
    for _ in range(8):
        # The line about the failure comes behind the prints, and has the log rotated.
        with pytest.raises(RemoteError):
            chatty.call((11 << 10, "fail"))
    # The caller is told a moment before the log is written.
    chatty.ping()
    logs = sorted(path.name for path in tmp_path.glob("server.log*"))
    # The last one has how the server began, and its last error, of those that are gone.
    assert logs == ["server.log", *(f"server.log.{age}" for age in range(1, 7))]
    assert (tmp_path / "server.log.6").stat().st_size < 1 << 20
    assert sum(path.stat().st_size for path in tmp_path.glob("server.log*")) < 6 * 12 << 20


def test_a_failed_start_keeps_the_old_log(tmp_path):
    log, tasks = tmp_path / "server.log", tmp_path / "tasks.py"
    log.write_text("what happened before\n")
    tasks.write_text("raise ValueError('no film')\n")
    with pytest.raises(StartError, match="no film"):
        Server(HOST, 0, log_file=log, init_file=tasks).run_background()
    text = log.read_text()
    assert text.startswith("what happened before\n")
    assert "no film" in text
    with socket.create_server((HOST, 0)) as taken, pytest.raises(AddressInUse):
        Server(HOST, taken.getsockname()[1], log_file=log).run_background()
    assert log.read_text().startswith(text)


def test_the_command_needs_no_click(console):
    requirements = importlib.metadata.requires("bgpy") or []
    assert not [name for name in requirements if name.lower().startswith("click")]
    command = subprocess.run([console, "version"], capture_output=True, text=True, check=True)
    assert command.stdout == f"bgpy {importlib.metadata.version('bgpy')}\n"
