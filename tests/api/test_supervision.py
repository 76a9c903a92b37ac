"""Servers that are started again when they fail, and what is known of those that are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.processes import KILL, kill, supervisor_of

from bgpy import (
    Client,
    ConfigError,
    ConnectionLost,
    NotRunning,
    Server,
    StartError,
    connect,
    respond,
    servers,
    start,
)

HOST = "127.0.0.1"
TASKS = """
import os
from pathlib import Path

from bgpy import respond


def init_task():
    return {"calls": 0}


def exec_task(client_socket, state, args):
    state["calls"] += 1
    match args:
        case {"signal": number}:
            os.kill(os.getpid(), number)
        case {"exit": code}:
            os._exit(code)
    respond(client_socket, {"calls": state["calls"], "pid": os.getpid(), "args": args})


def exit_task(client_socket, state, args):
    if args == "raise":
        raise OSError("no film")
"""


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    path = tmp_path / "camera.py"
    path.write_text(TASKS)
    return path


@pytest.fixture
def camera(tasks):
    """Return a server that is started again when it fails."""
    server = start(tasks, "camera", restart="on-failure")
    yield server
    server.stop(20)


def wait_gone(*processes: int) -> None:
    for pid in processes:
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)


def ended() -> tuple[str, str | None, int | None]:
    """Tell state, reason and exit code of the one server, once it has ended."""
    while servers():
        time.sleep(0.01)
    (info,) = servers(ended=True)
    return info.state, info.reason, info.exit_code


@pytest.mark.parametrize("way", [{"signal": 9}, {"signal": 11}, {"exit": 3}], ids=str)
def test_a_crash_brings_it_back_as_it_was(camera, way):
    (before,) = servers()
    client = connect("camera")
    first = client.call(1)
    with pytest.raises(ConnectionLost):
        client.call(way)
    again = client.call(2, timeout=20)
    assert again["pid"] != first["pid"]
    assert again["calls"] == 1
    (after,) = servers()
    same = ("name", "address", "instance", "log_file")
    assert [getattr(after, what) for what in same] == [getattr(before, what) for what in same]
    assert after.pid == camera.pid == again["pid"]
    assert (before.generation, after.generation) == (0, 1)
    words = camera.log_file.read_text()
    assert "the server's process has failed" in words
    assert "restart 1" in words


def test_the_tasks_of_the_first_client_stay(start):
    numpy = pytest.importorskip("numpy")
    server = start(restart="on-failure", token="a token of the tests that is long enough")
    client = Client(HOST, server.port, token=server.token)
    table = numpy.arange(100_000)

    def exec_task(client_socket, state, args):
        if args == "die":
            os.kill(os.getpid(), KILL)
        state["calls"] += 1
        respond(client_socket, (state["calls"], int(table.sum())))

    def bad_init_task():
        raise OSError("no film")

    with pytest.raises(Exception, match="no film"):
        client.initialize(bad_init_task, exec_task, lambda *_: None)
    client.initialize(lambda: {"calls": 10}, exec_task, lambda *_: None)
    for _ in range(3):
        assert client.call(1, timeout=20) == (11, int(table.sum()))
        with pytest.raises(ConnectionLost):
            client.call("die")
    assert client.call(1, timeout=20) == (11, int(table.sum()))
    server.stop(20)


def test_a_server_without_tasks_comes_back_without(start):
    server = start(restart="on-failure")
    kill(server.pid)
    client = Client(HOST, server.port)
    assert client.status(timeout=20)["state"] == "UNINITIALIZED"
    client.initialize(dict, lambda client_socket, *_: respond(client_socket, 1), lambda *_: None)
    assert client.call(1) == 1
    server.stop(20)


def test_fifty_crashes_under_clients_that_call(tmp_path):
    """What was answered has happened, and nobody is refused."""
    kept = tmp_path / "kept"

    def exec_task(client_socket, state, args):
        who, number = args
        if who == "killer":
            os.kill(os.getpid(), KILL)
        with kept.open("a") as file:
            file.write(f"{who} {number}\n")
        respond(client_socket, args)

    functions = (dict, exec_task, lambda *_: None)
    server = start(functions, "camera", restart="on-failure:50")
    answers: dict[str, list[int]] = {"first": [], "second": []}
    failures: list[BaseException] = []
    over = threading.Event()

    def call(who: str) -> None:
        client = Client("camera")
        number = 0
        while not over.is_set():
            number += 1
            try:
                assert client.call((who, number), timeout=30) == (who, number)
                answers[who].append(number)
            except ConnectionLost:
                pass
            except BaseException as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=call, args=(who,)) for who in answers]
    for thread in threads:
        thread.start()
    killer = connect("camera")
    for _ in range(50):
        seen = len(answers["first"])
        with pytest.raises(ConnectionLost):
            killer.call(("killer", 0), timeout=30)
        while len(answers["first"]) == seen and not failures:
            time.sleep(0.001)
    over.set()
    for thread in threads:
        thread.join(60)
    assert not failures
    happened = kept.read_text().splitlines()
    for who, numbers in answers.items():
        assert len(numbers) >= 50
        assert {f"{who} {number}" for number in numbers} <= set(happened)
    # It may be on its way back from the last crash.
    assert killer.call(("last", 0), timeout=30) == ("last", 0)
    (info,) = servers()
    assert info.generation == 50
    server.stop(20)


def test_tasks_that_do_not_start_any_more_are_tried_again_until_they_do(camera, tasks):
    good = tasks.read_text()
    tasks.write_text("1 / 0")
    kill(camera.pid)
    while not any(info.failures > 2 for info in servers()):
        time.sleep(0.01)
    assert "ZeroDivisionError" in servers()[0].last_failure
    tasks.write_text(good)
    assert connect("camera").call(1, timeout=20)["calls"] == 1


def test_tasks_that_do_not_start_are_not_tried_again(tasks, runtime):
    tasks.write_text("import os; print('trying'); os._exit(4)")
    with pytest.raises(StartError, match="trying") as failed:
        start(tasks, "camera", restart="on-failure")
    assert "exit status: 4" in str(failed.value)
    (log,) = runtime.glob("*.log")
    assert log.read_text().count("trying") == 1
    assert servers() == []


def test_a_start_that_is_given_up_leaves_nobody(tasks, tmp_path, runtime):
    told = tmp_path / "told"
    tasks.write_text(
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(told)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}} {{child.pid}}')\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(Exception, match="not ready within"):
        start(tasks, "camera", restart="on-failure", timeout=2.0)
    wait_gone(*map(int, told.read_text().split()))
    assert servers() == []


@pytest.mark.parametrize("way", ["stop", "exit_task", "sigterm", "sigterm to supervisor", "idle"])
def test_an_end_that_is_wanted_is_one(tasks, runtime, way):
    idle = 0.3 if way == "idle" else None
    server = start(tasks, "camera", restart="on-failure", idle_timeout=idle)
    supervisor = supervisor_of(server.pid)
    match way:
        case "stop":
            server.stop(20)
        case "exit_task":
            with pytest.raises(Exception, match="no film"):
                connect("camera").terminate("raise", await_response=True)
        case "sigterm":
            os.kill(server.pid, signal.SIGTERM)
        case "sigterm to supervisor":
            os.kill(supervisor, signal.SIGTERM)
    assert server.wait(20) == int(way == "exit_task")
    assert ended()[0] == ("FAILED" if way == "exit_task" else "EXITED")
    assert server.log_file.read_text().count("listens on") == 1
    assert [path.name for path in runtime.glob("*.name")] == []


def test_an_exit_without_failure_is_no_failure(camera):
    with pytest.raises(ConnectionLost):
        connect("camera").call({"exit": 0})
    assert camera.wait(20) == 0
    assert ended()[2] == 0


def test_a_server_outlives_its_supervisor(camera, runtime):
    client = connect("camera")
    pid = client.call(1)["pid"]
    kill(supervisor_of(pid))
    assert client.call(2)["pid"] == pid
    (info,) = servers()
    assert info.pid == pid
    assert info.state in ("READY", "BUSY")
    # It is alone now.
    kill(pid)
    state, reason, code = ended()
    assert (state, code) == ("FAILED", None)
    assert "exit status is unknown" in reason
    with pytest.raises(NotRunning):
        client.call(3)


def test_a_successor_has_its_place_at_once(tasks):
    port = 0
    for _ in range(20):
        server = start(tasks, "camera", port=port, restart="on-failure")
        port = server.port
        connect("camera").terminate()


def test_whoever_waits_for_the_end_waits_on(camera):
    other = Server(name="camera")
    waited = threading.Thread(target=other.wait, args=(60,))
    waited.start()
    while connect("camera").status()["clients"] < 2:
        time.sleep(0.01)
    kill(camera.pid)
    connect("camera").call(1, timeout=20)
    assert waited.is_alive()
    camera.stop(20)
    waited.join(20)
    assert not waited.is_alive()


def test_it_is_starting_while_it_starts_again(gates, tmp_path):
    gate, marker = gates(), tmp_path / "marker"

    def init_task():
        if marker.exists():
            gate.enter()
        marker.touch()
        return {}

    server = start((init_task, lambda *_: None, lambda *_: None), "camera", restart="on-failure")
    kill(server.pid)
    gate.wait_entered()
    (info,) = servers()
    assert (info.state, info.generation) == ("STARTING", 1)
    gate.open()
    while servers()[0].state == "STARTING":
        time.sleep(0.01)
    server.stop(20)


def test_programs_that_it_starts_inherit_nothing(tmp_path):
    def exec_task(client_socket, state, args):
        if args == "die":
            os.kill(os.getpid(), KILL)
        code = "import os; print(os.listdir('/dev/fd'))"
        command = [sys.executable, "-c", code]
        shown = subprocess.run(command, close_fds=False, capture_output=True, text=True, check=True)
        respond(client_socket, shown.stdout)

    server = start((dict, exec_task, lambda *_: None), "camera", restart="on-failure")
    client = connect("camera")
    first = client.call(1)
    with pytest.raises(ConnectionLost):
        client.call("die")
    # Standard input, output and error, and the directory itself.
    assert client.call(1, timeout=20) == first == "['0', '1', '2', '3']\n"
    server.stop(20)


def test_the_end_is_known_though_the_starter_has_ended(orphan):
    kill(orphan.pid)
    state, reason, code = ended()
    assert (state, code) == ("FAILED", -9)
    assert reason.startswith("signal 9 (SIGKILL): killed by another process, or by the system")


def test_a_policy_that_cannot_be(tasks):
    for policy in ("", "always", "on-failure:0"):
        with pytest.raises(ConfigError, match="on-failure:N"):
            Server(restart=policy)
    with pytest.raises(ConfigError, match="bgpy run"):
        Server(init_file=tasks, restart="on-failure").run()
