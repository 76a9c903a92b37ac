"""A process that has no descriptors left: what it cannot look at is not held to be gone."""

from __future__ import annotations

import os
import re
import resource
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from bgpy import Client, ConnectError, NotRunning, connect, respond, servers
from bgpy import start as start_named

LIMIT_S = 20

OPENERS = ("file", "pipe", "socket", "dup")


def limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
    return {"held": []}


def use_up(client_socket, held, args):
    import socket

    openers = {
        "file": lambda: open(os.devnull),  # noqa: SIM115
        "pipe": lambda: os.fdopen(os.pipe()[0]),
        "socket": lambda: socket.socket(socket.AF_UNIX),
        "dup": lambda: os.fdopen(os.dup(0)),
    }
    if args in openers:
        try:
            while True:
                held["held"].append(openers[args]())
        except OSError as error:
            respond(client_socket, error.strerror)
    elif args == "free":
        held["held"].clear()
        respond(client_socket, None)
    else:
        respond(client_socket, args)


TASKS = (limit, use_up, lambda *_: None)


@pytest.fixture
def full(runtime):
    """Return a server without descriptors, and a client that was connected before."""
    server = start_named(TASKS, "full")
    client = connect("full")
    assert client.call("file") == "Too many open files"
    yield server, client
    client.close()
    if Path(f"/proc/{server.pid}").exists():
        os.kill(server.pid, 9)
    server.wait(LIMIT_S)


def until(true):
    end = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def files_of(runtime):
    return {
        path: path.lstat().st_ino for path in (*runtime.glob("*.json"), *runtime.glob("*.sock"))
    }


def see_looks(runtime, count=2):
    """Wait for looks of the server at its files, which a missing lock shows."""
    for _ in range(count):
        (runtime / "full.name").unlink()
        until((runtime / "full.name").exists)


@pytest.mark.parametrize("opener", OPENERS)
def test_a_server_without_descriptors_is_found_reached_and_ended(runtime, opener):
    server = start_named(TASKS, "full")
    files = files_of(runtime)
    with connect("full") as client:
        assert client.call(opener) == "Too many open files"
        see_looks(runtime)
        (info,) = servers()
        assert (info.name, info.state) == ("full", "READY")
        with connect("full") as late:
            assert late.call(1, timeout=LIMIT_S) == 1
        assert client.call(2, timeout=LIMIT_S) == 2
    assert files_of(runtime) == files
    assert "replaced a foreign file" not in Path(server.log_file).read_text()
    server.stop(LIMIT_S)
    assert servers() == []
    (info,) = servers(ended=True)
    assert info.state == "EXITED"


@pytest.mark.parametrize("what", ["json", "sock"])
@pytest.mark.parametrize("gone", [True, False])
def test_files_are_put_back_without_descriptors(full, runtime, what, gone):
    _, client = full
    (path,) = runtime.glob(f"*.{what}")
    path.unlink()
    if not gone:
        path.write_text("{garbage")
    until(lambda: path.exists() and (path.is_socket() or "instance" in path.read_text()))
    until(lambda: [info.state for info in servers()] == ["READY"])
    with connect("full") as late:
        assert late.call(1, timeout=LIMIT_S) == 1
    assert client.call(2, timeout=LIMIT_S) == 2


def test_nothing_is_removed_that_cannot_be_looked_at(full, runtime):
    """Not even what is kept for such a time is left."""
    server, client = full
    files = files_of(runtime)
    with ExitStack() as stack:
        for _ in range(4):
            late = stack.enter_context(Client("full"))
            assert late.call(1, timeout=LIMIT_S) == 1
            client.call("file")
        assert client.call("file") == "Too many open files"
        log = Path(server.log_file)
        (runtime / "full.name").unlink()
        until(lambda: "cannot check or restore the server's files: Too many" in log.read_text())
        assert files_of(runtime) == files
        client.call("free")
        until((runtime / "full.name").exists)
    assert files_of(runtime) == files
    assert connect("full").call(3) == 3


def test_what_stands_in_the_way_stays_until_there_is_something_in_its_place(full, runtime):
    server, client = full
    with ExitStack() as stack:
        for _ in range(4):
            late = stack.enter_context(Client("full"))
            assert late.call(1, timeout=LIMIT_S) == 1
            client.call("file")
        entry, sock = files_of(runtime)
        lock = runtime / "full.name"
        for path in (entry, sock):
            path.unlink()
            path.write_text("{garbage")
        lock.unlink()
        os.mkfifo(lock)
        log = Path(server.log_file)
        until(lambda: "cannot check or restore the server's files: Too many" in log.read_text())
        assert entry.read_text() == sock.read_text() == "{garbage"
        assert lock.is_fifo()
        client.call("free")
        until(lambda: lock.is_file() and sock.is_socket() and "instance" in entry.read_text())
    assert connect("full").call(3) == 3


@pytest.fixture
def at_the_limit():
    """Return what takes every descriptor of this process for the time of a block."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    class AtTheLimit:
        def __enter__(self):
            most = max(map(int, os.listdir("/proc/self/fd"))) + 1
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
            self.held = []
            try:
                while True:
                    self.held.append(os.dup(0))
            except OSError:
                pass
            return self

        def __exit__(self, *_):
            for number in self.held:
                os.close(number)
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    return AtTheLimit()


def test_a_client_without_descriptors_does_not_say_that_no_server_runs(runtime, at_the_limit):
    server = start_named(TASKS, "there")
    (info,) = servers()
    targets = ["there", info.address, str(info.socket)]
    said = []
    with at_the_limit:
        for ask in (*(lambda t=t: Client(t).call(1) for t in targets), servers):
            try:
                ask()
            except Exception as error:
                said.append(error)
    assert len(said) == 4
    for error in said:
        assert isinstance(error, ConnectError)
        assert not isinstance(error, NotRunning)
        assert "Too many open files" in str(error)
        assert re.search(r"its limit of \d+ open files \(RLIMIT_NOFILE\)", str(error))
    assert connect("there").call(1) == 1
    server.stop(LIMIT_S)


def test_a_start_without_descriptors_says_so(runtime, at_the_limit):
    with at_the_limit, pytest.raises(Exception, match=r"Too many .* \(RLIMIT_NOFILE\)"):
        start_named(TASKS, "new")
    assert servers() == []
