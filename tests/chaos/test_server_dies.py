"""Servers that die, stand still, or are none: the client says so in time."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest
from support.processes import KILL, KILLED, Orphan, stand_still

from bgpy import (
    AuthError,
    CallTimeout,
    Client,
    ConnectionLost,
    NotRunning,
    ProtocolMismatch,
    Server,
    token_create,
)

from .target import HOST, LIMIT_S, Pipe, Target, many_descriptors

SOON_S = 5


@contextmanager
def fake(treat: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """Listen, treat each connection as told until the end, and give the port."""
    over = threading.Event()
    with closing(socket.create_server((HOST, 0))) as listener:
        port = listener.getsockname()[1]

        def accept() -> None:
            while True:
                stream = listener.accept()[0]
                with closing(stream):
                    if over.is_set():
                        return
                    stream.settimeout(LIMIT_S)
                    # The client may have left.
                    with suppress(ConnectionError):
                        treat(stream, over)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield port
        finally:
            over.set()
            socket.create_connection((HOST, port)).close()
            thread.join()


def take_first(stream: socket.socket) -> None:
    """Read the client's first message."""
    head = stream.recv(8, socket.MSG_WAITALL)
    if head[4:5] == b"\0":
        # It only asks who is there.
        return
    head += stream.recv(2, socket.MSG_WAITALL)
    stream.recv(struct.unpack("<H", head[8:])[0], socket.MSG_WAITALL)


def stay_silent(_stream: socket.socket, over: threading.Event) -> None:
    """Keep the connection open."""
    over.wait(LIMIT_S)


def drip(stream: socket.socket, over: threading.Event) -> None:
    """Answer so slowly that no single wait is long."""
    for byte in b"bgpy\x01\x01\x00\x00\xff\x07" + bytes(1000):
        if over.wait(0.05):
            return
        stream.sendall(bytes([byte]))


@pytest.mark.parametrize("treat", [stay_silent, drip])
def test_a_server_that_does_not_shake_hands(treat: Callable[..., None]) -> None:
    with fake(treat) as port, Client(HOST, port, token=token_create()) as client:
        for act in (client.ping, lambda timeout: client.call({}, timeout=timeout)):
            began = time.monotonic()
            with pytest.raises(CallTimeout, match=f"{HOST}:{port} did not answer within 1s"):
                act(timeout=1)
            assert 1 <= time.monotonic() - began < SOON_S


def close(stream: socket.socket, _over: threading.Event) -> None:
    """Close at once."""


def close_after_reading(stream: socket.socket, _over: threading.Event) -> None:
    """Close as a server does that does not like the token."""
    take_first(stream)


def reset(stream: socket.socket, _over: threading.Event) -> None:
    """Close with a reset."""
    take_first(stream)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("token", [token_create(), None])
@pytest.mark.parametrize("treat", [close, close_after_reading, reset])
def test_a_server_that_closes_at_once(treat: Callable[..., None], token: str | None) -> None:
    told = pytest.raises((ConnectionLost, ProtocolMismatch), match="another program")
    with fake(treat) as port, told:
        Client(HOST, port, token=token).ping(timeout=LIMIT_S)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak the bgpy protocol"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "does not speak the bgpy protocol"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak the bgpy protocol"),
        (bytes(65536), "does not speak the bgpy protocol"),
        (b"bgpy\x02\x01\x00\x00", "version 2 .* version 1; install the same version"),
        (b"bgpy\x01\x03\x00\x00", "another suite"),
        (b"bgpy\x01\x01\x00\x00\xff\xff", "exceeds the limit of 2048 bytes"),
    ],
)
def test_a_server_that_is_something_else(answer: bytes, told: str) -> None:
    def say(stream: socket.socket, _over: threading.Event) -> None:
        take_first(stream)
        stream.sendall(answer)

    with fake(say) as port, pytest.raises(ProtocolMismatch, match=told):
        Client(HOST, port, token=token_create()).ping(timeout=LIMIT_S)


def test_a_server_that_answers_with_another_key() -> None:
    def say(stream: socket.socket, _over: threading.Event) -> None:
        take_first(stream)
        stream.sendall(b"bgpy\x01\x01\x00\x00" + struct.pack("<H", 200) + bytes(200))

    with fake(say) as port, pytest.raises(AuthError):
        Client(HOST, port, token=token_create()).ping(timeout=LIMIT_S)


def test_a_server_that_leaves_in_the_middle_of_the_handshake() -> None:
    def say(stream: socket.socket, _over: threading.Event) -> None:
        take_first(stream)
        stream.sendall(b"bgpy\x01\x01")

    with fake(say) as port, pytest.raises((ConnectionError, ProtocolMismatch)) as caught:
        Client(HOST, port, token=token_create()).ping(timeout=LIMIT_S)
    assert f"{HOST}:{port}" in str(caught.value)


def test_a_kill_ends_the_calls_under_way_within_a_second(
    target: Target, way: str, pipe: Pipe
) -> None:
    clients = [target.client() for _ in range(3)]
    with ThreadPoolExecutor(6) as threads:
        # The first one runs, the others wait; two of each client.
        calls = [threads.submit(client.call, {"wait": pipe.path}) for client in clients * 2]
        target.until(lambda: target.looker.status(timeout=LIMIT_S)["queue"] == len(calls) - 1)
        began = time.monotonic()
        os.kill(target.server.pid, KILL)
        for call in calls:
            with pytest.raises(ConnectionLost, match="may or may not have run"):
                call.result(LIMIT_S)
        assert time.monotonic() - began < 1
    assert target.server.wait(LIMIT_S) == KILLED
    for client in clients:
        with pytest.raises(NotRunning):
            client.call({}, timeout=LIMIT_S)


def files(runtime: Path) -> list[str]:
    """Return the names in the registry, but for logs and what is remembered of the dead."""
    names = {path.name for path in runtime.iterdir() if ".log" not in path.name}
    return sorted(names - {"ended"})


def kill(server: Server) -> None:
    """End a server so that it cannot clean up."""
    assert server.pid is not None
    os.kill(server.pid, KILL)
    assert server.wait(LIMIT_S) == KILLED


def test_what_a_killed_server_leaves_is_cleaned_up_by_the_next_client(
    orphan: Orphan, start: Callable[..., Server], runtime: Path
) -> None:
    port, left = orphan.port, files(runtime)
    assert [Path(name).suffix for name in left] == [".json", ".sock"]
    orphan.kill()
    assert files(runtime) == left
    with pytest.raises(NotRunning, match=f"no server listens on {HOST}:{port}"):
        Client(HOST, port).ping(timeout=LIMIT_S)
    assert files(runtime) == []
    successor = start(port=port)
    assert successor.port == port
    Client(HOST, port).ping(timeout=LIMIT_S)


def test_a_successor_is_found_beside_what_the_killed_one_left(
    start: Callable[..., Server], runtime: Path
) -> None:
    port, kept = 0, None
    for _ in range(3):
        server = start(port=port)
        port = server.port
        kept = kept or Client(HOST, port)
        # It may have to find out first that its connection is gone.
        with suppress(ConnectionLost):
            kept.ping(timeout=LIMIT_S)
        # Each server has a token of its own making.
        for client in (kept, Client(HOST, port)):
            client.ping(timeout=LIMIT_S)
            assert client.status(timeout=LIMIT_S)["pid"] == server.pid
        kill(server)
    with pytest.raises(NotRunning):
        Client(HOST, port).ping(timeout=LIMIT_S)
    assert files(runtime) == []


def test_a_stranger_that_listens_where_a_killed_server_did(
    start: Callable[..., Server], runtime: Path
) -> None:
    server = start()
    port = server.port
    kill(server)
    with closing(socket.create_server((HOST, port))) as listener, ThreadPoolExecutor(1) as threads:
        call = threads.submit(Client(HOST, port).ping, timeout=LIMIT_S)
        with closing(listener.accept()[0]) as stream:
            stream.settimeout(LIMIT_S)
            take_first(stream)
            stream.sendall(b"220 mail.example.org ESMTP\r\n")
            with pytest.raises(ProtocolMismatch):
                call.result(LIMIT_S)
    assert files(runtime) == []


def test_a_server_that_stands_still_ends_no_wait_but_the_time_does(target: Target) -> None:
    target.looker.ping()
    stand_still(target.server.pid)
    for client in (target.looker, target.client()):
        began = time.monotonic()
        with pytest.raises(CallTimeout):
            client.ping(timeout=0.5)
        assert time.monotonic() - began < SOON_S
    os.kill(target.server.pid, signal.SIGCONT)
    target.is_as_before()


def test_a_server_that_stands_still_and_has_a_long_queue_at_its_socket(target: Target) -> None:
    with ExitStack() as stack:
        stand_still(target.server.pid)
        stack.callback(os.kill, target.server.pid, signal.SIGCONT)
        for _ in range(stack.enter_context(many_descriptors(8000))):
            stream = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
            stream.setblocking(False)
            if stream.connect_ex(target.entry["socket"]) == errno.EAGAIN:
                break
        else:
            pytest.skip("the system's queues are longer than this process can fill")
        threads = stack.enter_context(ThreadPoolExecutor(1))
        call = threads.submit(target.client().ping, timeout=1)
        # Before the threads are waited for, so that a call that hangs can end.
        stack.callback(os.kill, target.server.pid, signal.SIGCONT)
        with pytest.raises(CallTimeout):
            call.result(LIMIT_S / 3)
    target.is_as_before()
