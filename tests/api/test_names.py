"""Servers by their names: start, connect, servers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bgpy import (
    Client,
    ConfigError,
    NameTaken,
    NotRunning,
    RemoteError,
    Server,
    StartError,
    connect,
    respond,
    servers,
    start,
)

TASKS = """
from bgpy import respond

def init_task():
    return {}

def exec_task(client_socket, state, args):
    respond(client_socket, args)

def exit_task(client_socket, state, args):
    pass
"""
STARTER = """
import sys
from bgpy import connect, start

server = start(sys.argv[1], sys.argv[2], exist_ok=True)
print(server.pid, server.is_started_here, connect(sys.argv[2]).call("here"), server.target)
"""


def echo(client_socket, state, args):
    respond(client_socket, args)


FUNCTIONS = (dict, echo, lambda *_: None)


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    path = tmp_path / "trainer.py"
    path.write_text(TASKS)
    return path


@pytest.fixture
def started():
    """Return a function that starts servers, which are ended with the test."""
    all_of_them = []

    def started(*arguments, **options):
        all_of_them.append(start(*arguments, **options))
        return all_of_them[-1]

    yield started
    for server in all_of_them:
        server.stop(20)


@pytest.mark.parametrize("kind", ["path", "str", "functions"])
def test_start_returns_when_the_server_is_ready(started, tasks, kind):
    origin = {"path": tasks, "str": str(tasks), "functions": FUNCTIONS}[kind]
    server = started(origin, "trainer")
    assert (server.name, server.target, server.is_started_here) == ("trainer", "trainer", True)
    with connect("trainer") as client:
        assert client.status()["state"] == "READY"
        assert client.status()["name"] == "trainer"
        assert client.call([1]) == [1]
        assert client.status()["pid"] == server.pid
    assert repr(server) == f'Server("127.0.0.1", {server.port}, name="trainer")'


def test_a_module(started, tasks, monkeypatch):
    monkeypatch.chdir(tasks.parent)
    started("trainer", "other", env={"LIGHT": "dim"}, cwd=tasks.parent)
    assert connect("other").call(1) == 1


def test_every_form_of_a_target(started, tasks):
    server = started(tasks, "trainer", host="::1")
    (info,) = servers()
    assert info.address == f"[::1]:{server.port}"
    for target in ("trainer", info.address, str(info.socket), info.socket):
        assert connect(target).call(target) == target
        assert Client(str(target)).call(1) == 1
    assert Client("::1", server.port).call(1) == 1


@pytest.mark.parametrize("auth", [True, False])
@pytest.mark.parametrize("server_host", ["127.0.0.1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::ffff:127.0.0.1", "[::ffff:7f00:1]"])
def test_a_loopback_address_is_one_however_it_is_written(started, tasks, auth, server_host, host):
    server = started(tasks, "trainer", host=server_host, auth=auth)
    for target in ((host, server.port), (f"[{host.strip('[]')}]:{server.port}",)):
        if ":" in host or len(target) == 2:
            assert Client(*target, auth=auth).call(1) == 1
    # Also where nothing is known of it but its address.
    server.stop(20)
    with pytest.raises(NotRunning):
        Client(host, server.port, auth=False).call(1)


@pytest.mark.parametrize(
    "target", ["", "a b", "a" * 300, "x:", "x:y", "x:0", ":1", "::1:80", "7", "naïve"]
)
def test_a_target_that_cannot_be(target):
    with pytest.raises(ConfigError):
        connect(target)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../a", "a" * 65, "7", ".a", "a\0b"])
def test_a_name_that_cannot_be(name):
    with pytest.raises(ConfigError, match="letter"):
        Server(name=name)


def test_a_name_that_nobody_has():
    with pytest.raises(NotRunning, match="no server named 'trainer' runs here"):
        connect("trainer")


def test_a_name_that_is_taken(started, tasks):
    server = started(tasks, "trainer")
    with pytest.raises(NameTaken, match="a server named 'trainer' is already running"):
        start(tasks, "trainer")
    other = started(tasks, "trainer", exist_ok=True)
    assert (other.pid, other.port, other.is_started_here) == (server.pid, server.port, False)
    assert other.log_file == server.log_file
    other.stop()
    with pytest.raises(NotRunning):
        connect("trainer")
    assert server.wait(20) == 0
    assert started(tasks, "trainer").pid != server.pid


def test_a_name_is_free_again_when_its_server_was_killed(started, tasks):
    server = started(tasks, "trainer")
    os.kill(server.pid, 9)
    server.wait(20)
    assert started(tasks, "trainer").pid != server.pid


def test_ten_processes_that_start_a_name_at_the_same_moment(tasks):
    for name in ("trainer", "trainer", "other"):
        command = [sys.executable, "-c", STARTER, tasks, name]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(10)]
        lines = [process.communicate(timeout=60)[0].split() for process in started]
        assert {tuple(line[2:]) for line in lines} == {("here", name)}
        assert len({line[0] for line in lines}) == 1
        assert sorted(line[1] for line in lines) == ["False"] * 9 + ["True"]
        Server(name=name).stop(20)


def test_tasks_that_do_not_start_leave_no_name(tasks, runtime):
    tasks.write_text("1 / 0")
    for exist_ok in (False, True):
        with pytest.raises(StartError, match="ZeroDivisionError"):
            start(tasks, "trainer", exist_ok=exist_ok)
    assert servers() == []
    assert [path.name for path in runtime.glob("*.name")] == []


def test_functions_that_do_not_start_end_their_server(runtime):
    def init_task():
        raise OSError("no film")

    with pytest.raises(RemoteError, match="no film"):
        start((init_task, echo, echo), "trainer")
    assert servers() == []
    with pytest.raises(ConfigError, match="not a tuple of 1"):
        start((dict,), "trainer")


def test_functions_that_cannot_be_sent_leave_somebody_elses_server(started):
    server = started(FUNCTIONS, "trainer")
    with pytest.warns(RuntimeWarning, match="its functions differ from yours"):
        start((dict, lambda *_: lock, echo), "trainer", exist_ok=True)
    assert connect("trainer").status()["pid"] == server.pid


lock = __import__("threading").Lock()


def test_servers_show_themselves(started, tasks):
    first = started(tasks, "trainer")
    second = started(FUNCTIONS)
    found = servers()
    assert [info.name for info in found] == [None, "trainer"]
    info = found[1]
    assert (info.state, info.pid, info.reason, info.exit_code) == ("READY", first.pid, None, None)
    assert info.status["calls"] == 0
    assert info.log_file == first.log_file
    assert repr(info) == f"<ServerInfo trainer: READY, pid {first.pid}>"
    head, *lines = repr(found).splitlines()
    assert head.split()[:3] == ["NAME", "STATE", "PID"]
    assert [line.split()[0] for line in lines] == ["-", "trainer"]
    html = found._repr_html_()
    assert html.startswith("<table><thead><tr><th>NAME</th>")
    assert f"<td>trainer</td><td>READY</td><td>{first.pid}</td>" in html
    second.stop(20)
    assert [info.name for info in servers()] == ["trainer"]
    assert [info.state for info in servers(ended=True)] == ["EXITED", "READY"]


@pytest.mark.parametrize(
    ("end", "state", "code"),
    [
        ("os._exit(7)", "FAILED", 7),
        ("os.kill(os.getpid(), 11)", "FAILED", -11),
        ("os.kill(os.getpid(), 15)", "EXITED", 0),
    ],
)
def test_how_a_server_ended_is_seen_by_who_started_it(end, state, code):
    server = start((dict, lambda *_: exec(f"import os; {end}"), lambda *_: None), "trainer")
    connect("trainer").execute(1)
    assert server.wait(20) == code
    (info,) = servers(ended=True)
    assert (info.state, info.exit_code) == (state, code)
    assert (info.reason is None) == (state == "EXITED")


def test_a_server_of_a_name_in_a_block(tasks):
    with Server(name="trainer", init_file=tasks) as server:
        assert connect(server.target).call(1) == 1
    with pytest.raises(NotRunning):
        connect("trainer")


def test_a_directory_where_nothing_can_be_written(tasks, runtime):
    # As root, who may write everywhere, only a file in its place keeps the directory away.
    runtime.rmdir()
    runtime.write_text("")
    with pytest.raises(StartError, match="BGPY_RUNTIME_DIR"):
        start(tasks, "trainer")
    with pytest.raises(ConfigError, match="BGPY_RUNTIME_DIR"):
        servers()
    runtime.unlink()
    assert servers() == []


def test_a_path_too_long_for_a_socket(started, tasks, tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(deep))
    started(tasks, "trainer")
    (info,) = servers()
    assert (info.state, info.socket) == ("READY", None)
    assert connect("trainer").call(1) == 1


def test_a_working_directory_that_is_not_there_is_named(tmp_path):
    missing = tmp_path / "not there"
    with pytest.raises(ConfigError, match=f"no such directory: '{missing}'"):
        Server(port=0).run_background(cwd=missing)
