"""`replace=True` starts a server in the place of the one that has its name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from bgpy import (
    CallTimeout,
    ConfigError,
    NotRunning,
    Server,
    ServerStopping,
    StartError,
    connect,
    respond,
    servers,
    start,
)

LIMIT_S = 20

FILE = """
import os
from bgpy import respond

def init_task():
    return {{"version": {version}}}

def exec_task(client_socket, state, args):
    respond(client_socket, (state["version"], os.getpid(), args))

def exit_task(client_socket, state, args):
    {leave}
"""


class Tasks:
    """A file of tasks whose versions replace each other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write(0)

    def write(self, version: int, leave: str = "pass") -> None:
        """Write another version, whose `exit_task` does something."""
        self.path.write_text(FILE.format(version=version, leave=leave))

    def start(self, **options: object) -> Server:
        """Start a server in the place of the last one."""
        return start(self.path, replace=True, timeout=LIMIT_S, **options)


@pytest.fixture
def tasks(tmp_path: Path) -> Iterator[Tasks]:
    tasks = Tasks(tmp_path / "greeter.py")
    yield tasks
    for info in servers():
        connect(info.address).terminate()


def test_a_server_that_is_alone_is_just_started(tasks):
    server = tasks.start()
    assert connect("greeter").call(7) == (0, server.pid, 7)


@pytest.mark.parametrize("way", ["name", "address"])
@pytest.mark.parametrize("is_shared", [False, True], ids=["clients", "client"])
def test_callers_notice_nothing_but_the_new_code(tasks, way, is_shared):
    first = tasks.start()
    (info,) = servers()
    target = {"name": "greeter", "address": info.address}[way]
    told: list[object] = []
    is_over = threading.Event()
    common = connect(target)

    def call() -> None:
        last = 0
        try:
            with nullcontext(common) if is_shared else connect(target) as client:
                while not (is_over.is_set() and last == 5):
                    version, _, args = client.call([last], timeout=LIMIT_S)
                    assert args == [last]
                    assert version >= last
                    last = version
            told.append(last)
        except Exception as error:
            told.append(error)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for version in range(1, 6):
        tasks.write(version)
        server = tasks.start()
        assert (server.port, server.token) == (first.port, None)
    is_over.set()
    for thread in threads:
        thread.join()
    common.close()
    assert told == [5] * 8


def test_what_was_accepted_runs_on_the_old_server(tasks, gate):
    def exec_task(client_socket, state, args):
        if args == "wait":
            gate.enter()
        respond(client_socket, (0, "old", args))

    old = start((dict, exec_task), "greeter")
    answers: dict[str, object] = {}

    def call(args: str) -> None:
        answers[args] = connect("greeter").call(args, timeout=LIMIT_S)

    running = threading.Thread(target=call, args=("wait",))
    running.start()
    gate.wait_entered()
    queued = threading.Thread(target=call, args=("queued",))
    queued.start()
    client = connect("greeter")
    while client.status()["queue"] < 1:
        pass
    tasks.write(1)
    replacing = threading.Thread(target=tasks.start)
    replacing.start()
    while client.status()["state"] != "STOPPING":
        pass
    # Neither a client that was there nor a new one is refused.
    late = [threading.Thread(target=call, args=(args,)) for args in ("late", "later")]
    for thread in late:
        thread.start()
    gate.open()
    for thread in (running, queued, replacing, *late):
        thread.join()
    assert answers["wait"] == (0, "old", "wait")
    assert answers["queued"] == (0, "old", "queued")
    for args in ("late", "later"):
        version, pid, echo = answers[args]
        assert (version, echo) == (1, args)
        assert pid != old.pid
    assert client.call("here")[0] == 1


def test_a_long_wait_for_the_old_server_is_told(tasks, gate, capsys):
    def exec_task(client_socket, state, args):
        gate.enter()

    start((dict, exec_task), "greeter")
    connect("greeter").execute(None)
    gate.wait_entered()
    replacing = threading.Thread(target=tasks.start)
    replacing.start()
    told = ""
    while not told.endswith("\n"):
        told += capsys.readouterr().err
    gate.open()
    replacing.join()
    why = "its last task or exit_task is still running"
    assert told == f"Waiting up to {LIMIT_S}s for greeter to end: {why}.\n"


def test_a_call_that_is_refused_is_sent_again_with_its_arrays(tasks, gate):
    numpy = pytest.importorskip("numpy")

    def exec_task(client_socket, state, args):
        gate.enter()
        respond(client_socket, None)

    start((dict, exec_task), "greeter")
    client = connect("greeter")
    client.execute(None)
    gate.wait_entered()
    replacing = threading.Thread(target=tasks.start)
    replacing.start()
    while client.status()["state"] != "STOPPING":
        pass
    opening = threading.Timer(0.05, gate.open)
    opening.start()
    array = numpy.arange(1_000_000)
    version, _, echo = client.call(array, timeout=LIMIT_S)
    assert version == 0
    assert (echo == array).all()
    opening.join()
    replacing.join()


def test_a_server_that_ends_for_good_refuses(serve, gate):
    def exec_task(client_socket, state, args):
        gate.enter()

    client = serve(exec_task, name="greeter")
    other = connect("greeter")
    client.execute(None)
    gate.wait_entered()
    client.terminate()
    for _ in range(2):
        with pytest.raises((ServerStopping, NotRunning)):
            other.call(1)
    gate.open()


@pytest.mark.parametrize(
    "text",
    ["import no_such_module", "def init_task(:", "init_task = exec_task = later", "x = 1"],
    ids=["import", "syntax", "name", "no tasks"],
)
def test_the_old_one_goes_on_if_the_new_one_cannot_start(tasks, text):
    old = tasks.start()
    tasks.path.write_text(text)
    with pytest.raises(
        StartError, match="'greeter' was not replaced: it is still running, because "
    ) as told:
        tasks.start()
    assert str(tasks.path) in str(told.value) or "no_such_module" in str(told.value)
    assert connect("greeter").call(1) == (0, old.pid, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": "0.0.0.0", "token": "guessed"}, "can be guessed"),
        ({"host": "0.0.0.0", "auth": False}, "without authentication is refused on 0.0.0.0"),
        ({"host": "nowhere.invalid"}, "nowhere.invalid"),
    ],
)
def test_the_old_one_goes_on_if_an_option_is_refused(tasks, options, words):
    old = tasks.start()
    with pytest.raises(StartError, match="it is still running, because ") as told:
        tasks.start(**options)
    assert words in str(told.value)
    assert connect("greeter").call(1) == (0, old.pid, 1)


def test_it_is_said_that_the_old_one_was_stopped(tasks):
    tasks.start()
    client = connect("greeter")
    tasks.write(1)
    tasks.path.write_text(tasks.path.read_text().replace("return {", "1 / 0, {"))
    with pytest.raises(StartError, match="was stopped, but the server in its place does not start"):
        tasks.start()
    with pytest.raises(NotRunning):
        client.call(1)
    tasks.write(2)
    tasks.start()
    assert client.call(1)[0] == 2


def test_a_task_that_does_not_end_in_time(tasks, gate):
    def exec_task(client_socket, state, args):
        gate.enter()

    start((dict, exec_task), "greeter")
    connect("greeter").execute(None)
    gate.wait_entered()
    with pytest.raises(CallTimeout, match="takes no more calls, but has not ended within 0.2s"):
        start(tasks.path, replace=True, timeout=0.2)
    # The next one takes over from one that is ending.
    opening = threading.Timer(0.05, gate.open)
    opening.start()
    tasks.start()
    opening.join()
    assert connect("greeter").call(1)[0] == 0


def test_an_exit_task_does_not_wait_for_its_own_successor(tasks):
    tasks.write(0, leave="import bgpy; open(__file__ + '.told', 'w').write(told())")
    tasks.path.write_text(
        tasks.path.read_text()
        + """
def told():
    import bgpy
    try:
        bgpy.connect("greeter")
    except bgpy.BgpyError as error:
        return type(error).__name__
"""
    )
    tasks.start()
    tasks.start()
    assert Path(f"{tasks.path}.told").read_text() in {"NotRunning", "ServerStopping"}


def test_a_token_and_a_port_of_its_own(tasks):
    first = tasks.start(token="a token that is long enough for this")
    kept = tasks.start()
    assert (kept.port, connect("greeter").call(1)[1]) == (first.port, kept.pid)
    address = f"127.0.0.1:{first.port}"
    assert connect(address, token="a token that is long enough for this").call(1)[1] == kept.pid
    other = tasks.start(token="another token that is long enough")
    assert connect(address, token="another token that is long enough").call(1)[1] == other.pid


def test_functions_replace_functions(tasks):
    def answering(word):
        def exec_task(client_socket, state, args):
            respond(client_socket, word)

        return dict, exec_task

    start(answering("one"), "greeter", replace=True)
    client = connect("greeter")
    assert client.call(None) == "one"
    start(answering("two"), "greeter", replace=True)
    assert client.call(None) == "two"


def test_starters_take_turns(tasks):
    tasks.start()
    outcomes: list[object] = []

    def replace() -> None:
        try:
            outcomes.append(tasks.start().pid)
        except Exception as error:
            outcomes.append(error)

    threads = [threading.Thread(target=replace) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(outcomes)) == 4
    assert all(isinstance(pid, int) for pid in outcomes)
    assert connect("greeter").call(1)[1] in outcomes
    assert len(servers()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"exist_ok": True, "replace": True, "name": "a"}, "cannot be combined"),
        ({"replace": True}, "replace=True needs a name"),
        ({"replace": "yes", "name": "a"}, "replace must be True or False"),
    ],
)
def test_what_cannot_be_meant(options, words):
    with pytest.raises((ConfigError, TypeError), match=words):
        start((dict, print), **options)


def test_a_server_is_named_after_its_file_or_module(tasks, tmp_path, monkeypatch):
    assert tasks.start().target == "greeter"
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(StartError, match="'greeter'"):
        start("greeter")
    odd = tmp_path / "7 tasks.py"
    odd.write_text(tasks.path.read_text())
    with pytest.raises(ConfigError, match='"7 tasks" cannot be the name of a server.*pass name='):
        start(odd)
    start(odd, "seven").stop(LIMIT_S)
