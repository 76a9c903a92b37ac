"""Logs that nobody reads, and strangers that would fill them."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bgpy import RemoteError, Server, connect

from .target import HOST

TASKS = """
import sys

def init_task():
    return {}

def exec_task(socket, state, args):
    if args:
        raise ValueError("x" * args)
    socket.respond("ok")

def exit_task(*_):
    pass
"""
LIMIT_S = 60


def run(tmp_path: Path, *options: str, stderr: int) -> subprocess.Popen[bytes]:
    tasks = tmp_path / "tasks.py"
    tasks.write_text(TASKS)
    command = [sys.executable, "-m", "bgpy", "run", str(tasks), "--name", "fg", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)


@pytest.fixture(params=["stderr", "fifo", "terminal"])
def unread(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Return a server in the foreground, and the end of its log that is not read."""
    if request.param == "fifo":
        fifo = tmp_path / "log"
        os.mkfifo(fifo)
        read = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        server = run(tmp_path, "--log-file", str(fifo), stderr=subprocess.DEVNULL)
        os.set_blocking(read, True)
    else:
        read, write = os.openpty() if request.param == "terminal" else os.pipe()
        server = run(tmp_path, stderr=write)
        os.close(write)
    yield server, read
    if server.poll() is None:
        server.kill()
    server.wait()
    os.close(read)


def started(read: int) -> bytes:
    """Read a log until its server listens."""
    text = b""
    while b"listens on" not in text or not text.endswith(b"\n"):
        # A FIFO that nobody writes to yet would be at its end.
        assert select.select([read], [], [], LIMIT_S)[0]
        piece = os.read(read, 1 << 16)
        assert piece, text
        text += piece
    return text


def rest(read: int, text: bytearray) -> None:
    """Read a log to its end."""
    while True:
        try:
            piece = os.read(read, 1 << 16)
        except OSError:  # a terminal whose other side is closed
            return
        if not piece:
            return
        text += piece


def test_who_does_not_read_the_log_keeps_nobody_waiting(
    unread: tuple[subprocess.Popen[bytes], int],
) -> None:
    server, read = unread
    started(read)
    client = connect("fg")
    # More than a pipe holds and the server keeps.
    for _ in range(40):
        with pytest.raises(RemoteError):
            client.call(100_000, timeout=LIMIT_S)
        assert client.call(0, timeout=LIMIT_S) == "ok"
    assert connect("fg").call(0, timeout=LIMIT_S) == "ok"
    # Whoever reads again sees what was last, and hears how much is missing.
    text = bytearray()
    reader = threading.Thread(target=rest, args=(read, text))
    reader.start()
    server.send_signal(signal.SIGTERM)
    assert server.wait(LIMIT_S) == 0
    reader.join(LIMIT_S)
    lines = bytes(text).decode().splitlines()
    lost = [int(count) for count in re.findall(r"(\d+) records? (?:was|were) lost", text.decode())]
    failed = sum("exec_task failed" in line for line in lines)
    assert lost
    assert failed + sum(lost) == 40
    assert lines[-1].endswith("ended")


def test_a_server_ends_though_nobody_reads_its_log(
    unread: tuple[subprocess.Popen[bytes], int],
) -> None:
    server, read = unread
    started(read)
    client = connect("fg")
    for _ in range(5):
        with pytest.raises(RemoteError):
            client.call(100_000, timeout=LIMIT_S)
    server.send_signal(signal.SIGTERM)
    assert server.wait(LIMIT_S) == 0


def refused(kind: str, port: int) -> None:
    """Come as a stranger, and wait until the server has had enough."""
    with socket.create_connection((HOST, port), timeout=LIMIT_S) as stranger:
        stranger.sendall(
            {"http": b"GET / HTTP/1.0\r\n\r\n", "version": b"bgpy\x63\x01\x00\x00"}[kind]
        )
        try:
            while stranger.recv(1 << 12):
                pass
        except ConnectionError:
            pass


def test_strangers_are_told_once_and_counted(start: Callable[..., Server]) -> None:
    server = start()
    for kind, count in (("http", 300), ("version", 20)):
        for _ in range(count):
            refused(kind, server.port)
    assert server.log_file is not None
    log = Path(server.log_file)
    assert sum("refused" in line for line in log.read_text().splitlines()) == 2
    server.stop(timeout=LIMIT_S)
    lines = [line for line in log.read_text().splitlines() if "refused" in line]
    assert len(lines) == 4, lines
    assert [int(n) for n in re.findall(r"\((\d+) like this", "\n".join(lines))] == [299, 19]


def test_evictions_are_counted(start: Callable[..., Server]) -> None:
    server = start()
    assert server.log_file is not None
    crowd: list[socket.socket] = []
    try:
        for _ in range(600):
            crowd.append(socket.create_connection((HOST, server.port), timeout=LIMIT_S))
        # Those that came first have made room for the last.
        for evicted in crowd[:80]:
            # It is reset, so that a client with the token does not take it for a refusal.
            with pytest.raises(ConnectionResetError):
                evicted.recv(1)
        server.stop(timeout=LIMIT_S)
    finally:
        for connection in crowd:
            connection.close()
    log = Path(server.log_file).read_text()
    lines = [line for line in log.splitlines() if "closed to make room" in line]
    assert len(lines) == 2, lines
    assert re.search(r"\((\d+) like this", lines[1])


def test_strangers_are_counted_also_for_those_who_look_for_faults(
    start: Callable[..., Server],
) -> None:
    server = start(log_level="DEBUG")
    for _ in range(100):
        refused("http", server.port)
    assert server.log_file is not None
    server.stop(timeout=LIMIT_S)
    lines = [line for line in Path(server.log_file).read_text().splitlines() if HOST in line]
    # Where it listens; then of each kind the first, and how many there were.
    assert len(lines) == 5, lines
    assert sum(int(n) for n in re.findall(r"\((\d+) like this", "\n".join(lines))) == 99 + 99
