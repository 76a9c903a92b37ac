"""A server under attack: what it uses, how it is reached, and who works with it meanwhile."""

from __future__ import annotations

import json
import math
import os
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from bgpy import BgpyError, Client, Server

HOST = "127.0.0.1"
LIMIT_S = 30
SLACK_BYTES = 6 << 20

TASKS = """
import ctypes
import os

from bgpy import respond

def init_task():
    return {}

def exec_task(client_socket, state, args):
    if isinstance(args, dict) and "wait" in args:
        # Whoever holds the pipe open for writing lets it go on.
        with open(args["wait"], "rb", buffering=0) as pipe:
            pipe.read(1)
    if isinstance(args, dict) and "hold" in args:
        # As "wait", with the lock of the interpreter held all the time.
        descriptor = os.open(args["hold"], os.O_RDONLY)
        ctypes.PyDLL(None).read(descriptor, ctypes.create_string_buffer(1), 1)
        os.close(descriptor)
    if isinstance(args, dict) and "size" in args:
        args = bytes(args["size"])
    respond(client_socket, args)

def exit_task(client_socket, state, args):
    pass
"""


class Target:
    """A server in a process of its own, and one client that stays connected to look at it."""

    def __init__(self, server: Server, runtime: Path) -> None:
        self.server = server
        entries = [json.loads(path.read_text()) for path in runtime.glob("*.json")]
        (self.entry,) = [entry for entry in entries if entry["process"]["pid"] == server.pid]
        self.token: str = self.entry["token"]
        self.looker = self.client()
        # What the first connections and calls leave in memory is there from now on.
        for number in range(500):
            with self.client() as client:
                assert client.call(number) == number
        self.looker.ping()
        self.settle_clients(1)
        self.descriptors, self.bytes = self.count_descriptors(), self.resident_bytes()

    def client(self, token: str | None = None) -> Client:
        """Return a client that is not connected yet."""
        return Client(HOST, self.server.port, token=token or self.token)

    def connect(self, way: str) -> socket.socket:
        """Return a bare connection by way of "tcp" or "unix"."""
        if way == "tcp":
            return socket.create_connection((HOST, self.server.port), timeout=LIMIT_S)
        stream = socket.socket(socket.AF_UNIX)
        # Not by Python's own limit, which does not wait for a full queue to get shorter.
        limit = struct.pack("ll", LIMIT_S, 0)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        stream.connect(self.entry["socket"])
        stream.settimeout(LIMIT_S)
        return stream

    def count_descriptors(self, below: float = math.inf) -> int:
        """Count what the server holds open, with numbers below a limit."""
        numbers = os.listdir(f"/proc/{self.server.pid}/fd")
        return sum(int(number) < below for number in numbers)

    def resident_bytes(self) -> int:
        """Return the memory that the server uses, apart from pages of files."""
        lines = Path(f"/proc/{self.server.pid}/status").read_text().splitlines()
        fields = (line.split() for line in lines)
        return sum(int(it[1]) << 10 for it in fields if it[0] in ("RssAnon:", "RssShmem:"))

    def settle_clients(self, clients: int, limit_s: float = LIMIT_S) -> None:
        """Wait until so many clients are connected."""
        self.until(lambda: self.looker.status(timeout=LIMIT_S)["clients"] == clients, limit_s)

    def occupy(self, pipe: Pipe, how: str = "wait") -> Task:
        """Let the server run a task until it is released."""
        task = Task(self, {how: pipe.path})
        self.until(lambda: self.looker.status(timeout=LIMIT_S)["busy_s"] is not None)
        return task

    def until(self, is_so: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        """Ask the server for signs of life until it is as wanted."""
        limit = time.monotonic() + limit_s
        while not is_so():
            status = self.looker.status(timeout=LIMIT_S)
            used = self.count_descriptors(), self.resident_bytes() >> 10
            assert time.monotonic() < limit, f"{status}; descriptors and KiB: {used}"

    def is_as_before(self, limit_s: float = LIMIT_S) -> None:
        """Wait until the server uses what it used before, and works."""
        self.until(lambda: self.count_descriptors() == self.descriptors, limit_s)
        self.until(lambda: self.resident_bytes() <= self.bytes + SLACK_BYTES, limit_s)
        with self.client() as client:
            assert client.call("still there", timeout=LIMIT_S) == "still there"


class Pipe:
    """Where a task waits until it is released."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        os.mkfifo(path)
        # Open at both ends, so that nobody waits for the other end to be opened.
        self.descriptor = os.open(path, os.O_RDWR)

    def release(self) -> None:
        """Let one task go on."""
        os.write(self.descriptor, b".")

    def close(self) -> None:
        """Let all tasks go on that are left."""
        os.write(self.descriptor, bytes(100))
        os.close(self.descriptor)


class Task:
    """A call that waits for its task. The task must succeed."""

    def __init__(self, target: Target, argument: object) -> None:
        self.target, self.argument = target, argument
        self.answer: object = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        """Call."""
        with self.target.client() as client, suppress(BgpyError):
            self.answer = client.call(self.argument)

    def join(self) -> None:
        """Wait for the end of the task."""
        self.thread.join(LIMIT_S)
        assert self.answer == self.argument


class Witness:
    """A well-behaved client that calls all the time. Each of its calls must succeed."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.rounds = 0
        self.slowest_s = 0.0
        self.over = threading.Event()
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        """Call until it is over, over one connection and over new ones."""
        try:
            with self.target.client() as steady:
                while not self.over.is_set():
                    began = time.monotonic()
                    self.call(steady)
                    if self.rounds % 8 == 0:
                        with self.target.client() as fresh:
                            self.call(fresh)
                    self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                    self.rounds += 1
        except BaseException as error:
            self.error = error

    def call(self, client: Client) -> None:
        """Make a call."""
        assert client.call(self.rounds, timeout=LIMIT_S) == self.rounds

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.over.set()
        self.thread.join()
        if self.error is not None:
            raise self.error
        assert self.rounds > 0


def is_refused(stream: socket.socket, sent: bytes) -> bytes:
    """Send, and return what the server says before it ends the connection."""
    answer = b""
    try:
        stream.sendall(sent)
        while piece := stream.recv(4096):
            answer += piece
    except (ConnectionResetError, BrokenPipeError):
        # It has seen enough before it has read everything.
        pass
    return answer


def reset(stream: socket.socket) -> None:
    """Close a connection with a reset, where there are any."""
    if stream.family != socket.AF_UNIX:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


@contextmanager
def many_descriptors(wanted: int) -> Iterator[int]:
    """Let this process open so many connections, or as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = wanted + 500
    limit = room if hard == resource.RLIM_INFINITY else min(room, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
    try:
        yield min(wanted, max(soft, limit) - 500)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
