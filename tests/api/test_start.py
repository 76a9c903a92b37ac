"""A start returns when the server is ready, or raises why it is not."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

import bgpy
from bgpy import (
    AddressInUse,
    BgpyError,
    CallTimeout,
    Client,
    ConfigError,
    ConnectError,
    NotInitialized,
    NotRunning,
    Server,
    StartError,
)

HOST = "127.0.0.1"
TASKS = """\
from bgpy import respond

def init_task():
    return {"calls": 0}

def exec_task(client_socket, state, args):
    state["calls"] += 1
    respond(client_socket, state["calls"])
    return state

def exit_task(client_socket, state, args):
    pass
"""


@pytest.fixture
def port():
    """Return a port that was free a moment ago."""
    with socket.create_server((HOST, 0)) as taken:
        return taken.getsockname()[1]


def tasks_file(directory, text=TASKS):
    path = directory / "my_tasks.py"
    path.write_text(text)
    return path


def children():
    """Return the ids of the processes that this one has started and not reaped."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == os.getpid():
            found.add(int(stat.parent.name))
    return found


def assert_nothing_is_left(server, runtime):
    assert server.pid is None
    assert children() == set()
    assert not [path.name for path in runtime.iterdir() if path.suffix not in ("", ".log")]
    with socket.create_server((HOST, server.port)):
        pass


def test_a_started_server_is_ready_and_has_no_tasks(start):
    for _ in range(5):
        client = Client(HOST, start().port)
        with pytest.raises(NotInitialized):
            client.execute({})
        assert client.status()["state"] == "UNINITIALIZED"


def test_a_server_with_tasks_from_a_file_is_ready_when_the_start_returns(start, tmp_path):
    for _ in range(5):
        client = Client(HOST, start(init_file=tasks_file(tmp_path)).port)
        assert client.status()["state"] == "READY"
        assert client.call({}) == 1


def test_tasks_from_a_file_may_import_what_lies_beside_it(start, tmp_path):
    (tmp_path / "beside.py").write_text("NUMBER = 41\n")
    text = TASKS.replace('"calls": 0', '"calls": beside.NUMBER').replace(
        "from", "import beside\nfrom", 1
    )
    server = start(init_file=tasks_file(tmp_path, text))
    assert Client(HOST, server.port).call({}) == 42


def test_classes_of_a_tasks_file_can_be_pickled_in_the_server(start, tmp_path):
    text = TASKS.replace('state["calls"])', "pickle.loads(pickle.dumps(Box())).inside)")
    text = "import pickle\n" + text + "\nclass Box:\n    inside = 3\n"
    server = start(init_file=tasks_file(tmp_path, text))
    assert Client(HOST, server.port).call({}) == 3


def test_an_init_task_of_a_file_that_takes_the_client_socket_runs(start, tmp_path):
    server = start(
        init_file=tasks_file(tmp_path, TASKS.replace("init_task()", "init_task(caller)"))
    )
    assert Client(HOST, server.port).call({}) == 1


def test_port_0_takes_a_free_port_and_tells_it(start):
    server = start(port=0)
    assert server.port > 0
    assert repr(server) == f'Server("{HOST}", {server.port})'
    Client(HOST, server.port).ping()


def test_an_address_in_use_is_named():
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(HOST, port)
        with pytest.raises(AddressInUse, match=f"{HOST}:{port} is in use") as caught:
            server.run_background()
    assert isinstance(caught.value, StartError)
    assert isinstance(caught.value, OSError)
    assert server.pid is None


def test_a_second_server_at_the_address_does_not_disturb_the_first(serve):
    client = serve(lambda client_socket, state, args: client_socket.respond("first"))
    with pytest.raises(AddressInUse):
        Server(HOST, client.port).run_background()
    assert client.call({}) == "first"
    assert Client(HOST, client.port).call({}) == "first"


def test_a_server_is_started_once(start):
    server = start()
    with pytest.raises(StartError, match=str(server.pid)):
        server.run_background()
    assert server.is_alive()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("def init_task(:\n    pass\n", "SyntaxError"),
        ("import no_such_module\n" + TASKS, "No module named 'no_such_module'"),
        (TASKS.replace("exec_task", "execute_task"), "no exec_task"),
        (TASKS + "\nexit_task = 3\n", "exit_task must be a function, not int"),
        (TASKS.replace('return {"calls": 0}', 'raise OSError("no camera")'), "no camera"),
        (TASKS.replace('return {"calls": 0}', "return [0]"), "as a dict, not list"),
        (TASKS.replace('return {"calls": 0}', "pass"), "as a dict, not None"),
        (TASKS.replace('return {"calls": 0}', 'raise SystemExit("no licence")'), "no licence"),
    ],
    ids=["syntax", "import", "missing", "no-function", "raises", "list", "none", "exit"],
)
def test_tasks_that_do_not_start_are_explained(runtime, tmp_path, port, text, cause):
    path = tasks_file(tmp_path, text)
    server = Server(HOST, port, init_file=path)
    with pytest.raises(StartError) as caught:
        server.run_background()
    assert str(path) in str(caught.value)
    assert cause in str(caught.value)
    assert_nothing_is_left(server, runtime)


def test_the_traceback_of_a_failed_init_task_is_told(tmp_path):
    text = TASKS.replace('return {"calls": 0}', 'raise OSError("no camera")')
    with pytest.raises(StartError, match=r'my_tasks.py", line 4, in init_task'):
        Server(HOST, 0, init_file=tasks_file(tmp_path, text)).run_background()


def test_a_server_that_dies_while_it_starts_has_the_last_word(runtime, tmp_path, port):
    words = 'import os; os.write(2, b"licence expired"); os._exit(7)'
    server = Server(HOST, port, init_file=tasks_file(tmp_path, words))
    with pytest.raises(StartError, match=r"(?s)7.*licence expired"):
        server.run_background()
    assert server.pid is None
    assert children() == set()


def test_a_start_that_takes_too_long_is_ended(start, tmp_path, gate, port):
    text = f'open({gate.coming!r}, "w").close(); open({gate.leaving!r}).read(1)\n' + TASKS
    slow = Server(HOST, port, init_file=tasks_file(tmp_path, text))
    with pytest.raises(CallTimeout, match="was not ready within 0.5s"):
        slow.run_background(timeout=0.5)
    assert slow.pid is None
    assert children() == set()
    # What the killed server has left in the registry does not get into the way of the next one.
    start(port=port)
    Client(HOST, port).ping()


@pytest.mark.parametrize("form", ["start", "initialize"])
@pytest.mark.parametrize("by", ["timeout", "Ctrl-C"])
def test_functions_that_take_too_long_to_start_are_ended(gate, port, form, by):
    tasks = (lambda: gate.enter() or {}, lambda *_: None, lambda *_: None)
    is_late = by == "timeout"
    timeout = 0.5 if is_late else None
    told = "init_task of .* did not finish within 0.5s; the server was ended" if is_late else None

    def interrupt():
        gate.wait_entered()
        if not is_late:
            os.kill(os.getpid(), signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    starts = {
        "start": lambda: bgpy.start(tasks, "slow", port=port, timeout=timeout),
        "initialize": lambda: bgpy.initialize(*tasks, HOST, port, timeout=timeout),
    }
    with pytest.raises(CallTimeout if is_late else KeyboardInterrupt, match=told):
        starts[form]()
    interrupter.join()
    assert bgpy.servers() == []
    (info,) = bgpy.servers(ended=True)
    assert info.state == "FAILED"
    assert ("init_task did not finish" if is_late else "its start was interrupted") in info.reason
    Server(HOST, port).run_background()


def test_an_ipv6_address(start):
    server = start(host="::1")
    for host in ("::1", "[::1]"):
        Client(host, server.port).ping()


def test_a_host_name(start):
    server = start(host="localhost")
    Client("localhost", server.port).ping()


def test_all_addresses_are_reached_through_loopback(start):
    server = start(host="0.0.0.0")
    Client(HOST, server.port).ping()


def test_what_is_no_text_in_the_search_path_does_not_matter(start, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, tmp_path, None, b"/bytes", "/\udcff"])
    Client(HOST, start().port).ping()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems want text for file names")
def test_names_of_files_may_hold_any_bytes(start, tmp_path, monkeypatch):
    odd = tmp_path / "\udcff"
    odd.mkdir(mode=0o700)
    server = start(init_file=tasks_file(odd), log_file=odd / "server.log")
    assert server.log_file == odd / "server.log"
    assert Client(HOST, server.port).call({}) == 1
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(odd))
    server = start()
    Client(HOST, server.port).ping()
    assert server.log_file.parent == odd


def test_a_runtime_directory_too_deep_for_a_socket_does_without(start, tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 100)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(deep))
    server = start()
    Client(HOST, server.port).ping()
    assert sorted(path.suffix for path in deep.iterdir()) == [".json", ".log"]


def test_a_server_without_a_runtime_directory_needs_a_token(start, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "file"))
    with pytest.raises(StartError, match=f"{tmp_path}/file.*pass a token"):
        Server(HOST, 0).run_background()
    server = start(token="chosen by a person", log_file=tmp_path / "server.log")
    Client(HOST, server.port, token="chosen by a person").ping()
    assert "must be given the token" in server.log_file.read_text()


def test_a_host_that_does_not_exist():
    with pytest.raises(ConnectError, match="no-such-host.invalid") as caught:
        Client("no-such-host.invalid", 1).ping()
    assert isinstance(caught.value, ConnectionError)
    with pytest.raises(BgpyError, match="no-such-host.invalid"):
        Server("no-such-host.invalid", 0).run_background()


def test_an_address_of_another_machine_cannot_be_listened_on():
    with pytest.raises(StartError, match="192.0.2.1:0"):
        Server("192.0.2.1", 0).run_background()


def test_nobody_listens(port):
    with pytest.raises(NotRunning, match=f"{HOST}:{port}"):
        Client(HOST, port).ping()


@pytest.mark.parametrize("kind", [Server, Client])
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((HOST, 65536), "65536"),
        ((HOST, -1), "-1"),
        (("", 1), "host"),
        (("a\0b", 1), "host"),
        ((HOST, 1, None, "LOUD"), "LOUD"),
    ],
    ids=["high", "low", "empty", "nul", "level"],
)
def test_an_argument_that_cannot_be_is_named(kind, arguments, named):
    with pytest.raises(ConfigError, match=named) as caught:
        kind(*arguments)
    assert isinstance(caught.value, ValueError)


def test_a_client_needs_a_port():
    with pytest.raises(ConfigError, match="port 0"):
        Client(HOST, 0)


def test_an_empty_token_is_refused():
    with pytest.raises(ConfigError, match="token"):
        Server(HOST, 0, token="")


def test_a_log_file_in_a_directory_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "missing" / "a.log"
    with pytest.raises(ConfigError, match=str(path)):
        Server(HOST, 0, log_file=path).run_background()
    with pytest.raises(ConfigError, match=str(path)):
        Client(HOST, 1, log_file=path)
    assert children() == set()


def test_an_init_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigError, match=str(tmp_path / "tasks.py")):
        Server(HOST, 0, init_file=tmp_path / "tasks.py")


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_task_that_cannot_be_called_is_named(start, at):
    client = Client(HOST, start().port)
    tasks = [dict, dict, dict]
    tasks[at] = "task"
    name = ("init_task", "exec_task", "exit_task")[at]
    with pytest.raises(ConfigError, match=f"{name} must be a function, not str"):
        client.initialize(*tasks)
    assert client.status()["state"] == "UNINITIALIZED"


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf")])
def test_a_timeout_that_cannot_be_is_named(timeout):
    with pytest.raises(ConfigError, match="timeout"):
        Client(HOST, 1).ping(timeout=timeout)
