"""A server whose process has all the descriptors that it may have says so, and works on."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from bgpy import (
    AuthError,
    BgpyError,
    Client,
    Overloaded,
    connect,
    respond,
    servers,
    token_create,
)
from bgpy import start as start_named

from . import peer

HOST = "127.0.0.1"
LIMIT_S = 20
BGPY = str(Path(sys.executable).with_name("bgpy"))

# Nobody waits for the answer longer than a busy machine takes for it.
AT_ONCE_S = 5


def limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
    return {"held": [], "opening": threading.Event()}


def use_up(client_socket, state, args):
    held = state["held"]
    if args == "open":
        with suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
    elif args == "free":
        for descriptor in held:
            os.close(descriptor)
        held.clear()
    respond(client_socket, args)


TASKS = (limit, use_up, lambda *_: None)


class Full:
    """A server, one that is connected to it, and those who fill it."""

    def __init__(self, stack: ExitStack, token: str) -> None:
        self.stack = stack
        self.server = start_named(TASKS, "full", token=token)
        self.token, self.address = token, f"{HOST}:{self.server.port}"
        self.before = stack.enter_context(connect("full", timeout=LIMIT_S))
        self.clients: list[Client] = []

    def fill(self, how: str, client: Callable[[], Client]) -> None:
        if how == "files":
            assert self.before.call("open") == "open"
        with suppress(Overloaded):
            while True:
                late = self.stack.enter_context(client())
                late.call(1, timeout=LIMIT_S)
                self.clients.append(late)

    def empty(self) -> None:
        self.before.call("free")
        for client in self.clients:
            client.close()


@pytest.fixture
def full():
    with ExitStack() as stack:
        full = Full(stack, token_create())
        yield full
        if Path(f"/proc/{full.server.pid}").exists():
            os.kill(full.server.pid, 9)
        full.server.wait(LIMIT_S)


@pytest.fixture(params=["unix", "tcp"])
def client(request, full, tmp_path, monkeypatch):
    """Return a function that makes a client which comes by the one or the other way."""
    if request.param == "unix":
        return lambda: Client("full")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(elsewhere))
    return lambda: Client(HOST, full.server.port, token=full.token)


ASKS = [
    lambda client: client.call(1),
    lambda client: client.execute(1),
    lambda client: client.ping(),
    lambda client: client.initialize(*TASKS),
]


@pytest.mark.parametrize("how", ["clients", "files"])
def test_who_comes_is_told_at_once(full, client, how):
    full.fill(how, client)
    for _ in range(10):
        for ask in ASKS:
            began = time.monotonic()
            with pytest.raises(Overloaded, match=r"its limit of 64 open files \(RLIMIT_NOFILE\)"):
                ask(client())
            assert time.monotonic() - began < AT_ONCE_S
        assert client().status(timeout=LIMIT_S)["state"] == "READY"
        assert full.before.call(2, timeout=LIMIT_S) == 2
    late = client()
    with pytest.raises(Overloaded):
        late.call(3)
    full.empty()
    assert late.call(4, timeout=LIMIT_S) == 4
    assert "has reached its limit of 64 open files" in Path(full.server.log_file).read_text()


def test_many_who_come_at_once_are_all_told(full, client):
    full.fill("clients", client)
    heard: list[object] = []

    def come() -> None:
        for number in range(20):
            try:
                heard.append(client().call(number))
            except BgpyError as error:
                heard.append(type(error))

    threads = [threading.Thread(target=come) for _ in range(16)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert full.before.call(1, timeout=LIMIT_S) == 1
    assert set(heard) == {Overloaded}


def test_strangers_who_say_nothing_keep_nobody_from_being_told(full, client):
    full.fill("clients", client)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection((HOST, full.server.port)))
        for _ in range(3):
            with pytest.raises(Overloaded):
                client().call(1, timeout=LIMIT_S)


def test_strangers_who_say_nothing_do_not_fill_it(full, client):
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(socket.create_connection((HOST, full.server.port)))
        began = time.monotonic()
        for number in range(10):
            assert stack.enter_context(client()).call(number, timeout=LIMIT_S) == number
        assert full.before.call(1, timeout=LIMIT_S) == 1
        assert time.monotonic() - began < AT_ONCE_S


def test_what_comes_all_the_same_is_not_taken(full):
    """Peers that do not know what the server says in the handshake are told by its answers."""
    full.fill("clients", lambda: Client("full"))
    (info,) = servers()
    with peer.connect(str(info.socket), full.token) as guest:
        for call in range(1, 4):
            guest.send(peer.EXEC, peer.FIRST, call, peer.pack("not run"))
        for call in range(1, 4):
            frame = guest.receive()
            assert (frame.kind, frame.call) == (peer.ERROR, call)
            assert b"overloaded" in frame.data
        # It need not go, but it makes room for others.
        with ExitStack() as stack:
            for _ in range(40):
                silent = stack.enter_context(socket.socket(socket.AF_UNIX))
                silent.connect(str(info.socket))
            assert guest.stream.recv(1) == b""
    with pytest.raises(Overloaded):
        Client("full").call(2, timeout=LIMIT_S)


def test_a_wrong_token_is_wrong_there_as_well(full, tmp_path, monkeypatch):
    full.fill("clients", lambda: Client("full"))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    with pytest.raises(AuthError):
        Client(HOST, full.server.port, token=token_create()).call(1)
    with pytest.raises(Overloaded):
        Client(HOST, full.server.port, token=full.token).call(1)


def test_it_is_seen_as_it_is(full):
    full.fill("clients", lambda: Client("full"))
    (info,) = servers()
    assert (info.state, info.pid) == ("READY", full.server.pid)
    assert "its limit of 64 open files" in info.reason
    assert full.server.is_alive()
    with pytest.warns(RuntimeWarning, match="its tasks are from"):
        assert start_named(__file__, "full", exist_ok=True).pid == info.pid
    assert start_named(TASKS, "full", exist_ok=True).pid == info.pid
    assert [info.state for info in servers()] == ["READY"]


def bgpy(*words: str) -> tuple[int, str]:
    done = subprocess.run([BGPY, *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_commands_tell_the_truth_and_end_it(full):
    full.fill("clients", lambda: Client("full"))
    for words in (["ps"], ["status", "full"], ["doctor"]):
        _, said = bgpy(*words)
        assert "its limit of 64 open files" in said
        assert "kill" not in said
        assert "STALE" not in said
    for words in (["ping", "full"], ["call", "full", "1"]):
        code, said = bgpy(*words)
        assert (code, "takes no more clients" in said) == (1, True)
    assert "listens on" in bgpy("logs", "full")[1]
    code, said = bgpy("stop", "full")
    assert (code, said) == (0, "Stopped full.\n")
    full.server.wait(LIMIT_S)


def test_who_comes_can_end_it(full, client):
    full.fill("clients", client)
    client().terminate({}, timeout=LIMIT_S)
    assert full.server.wait(LIMIT_S) == 0
