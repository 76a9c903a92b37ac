"""Connections without the token: cut at any byte, or silent."""

from __future__ import annotations

import contextlib
import random
import resource
import socket
import struct
import threading
import time

import bgpy
import bgpy_server
from load_tasks import exec_task, exit_task, init_task
from trials import Row, Scale, descriptors
from workspace import Placement, Workspace

# Places of those that have not finished the handshake, by TCP and by the Unix socket.
PLACES = 2 * 512
SETTLED_S = 30


def run(scale: Scale) -> list[Row]:
    """Come and leave at any byte, then stay and say nothing."""
    with Workspace(Placement.FREE) as workspace:
        server = bgpy_server.start(workspace)
        with bgpy_server.same_host(server) as client:
            client.initialize(init_task, exec_task, exit_task)
            before = descriptors(server.pid)
            first = record_first_message(workspace, server.token)
            rows = [cut(scale.count(20_000, 200), server, first, client, before)]
            rows.append(silent(scale.count(5000, 100), server, client, before))
    return rows


def record_first_message(workspace: Workspace, token: str) -> bytes:
    """Return what a client with the token says first."""
    recorded = bytearray()
    with socket.create_server((bgpy_server.HOST, 0)) as listener:

        def record() -> None:
            with listener.accept()[0] as stream:
                listener.close()
                stream.settimeout(10)
                recorded.extend(stream.recv(4096))

        recorder = threading.Thread(target=record)
        recorder.start()
        with bgpy_server.out_of_sight(workspace), contextlib.suppress(bgpy.BgpyError):
            bgpy.Client(bgpy_server.HOST, listener.getsockname()[1], token).ping(timeout=10)
        recorder.join()
    assert recorded.startswith(b"bgpy")
    return bytes(recorded)


def connected(server: bgpy.Server) -> socket.socket:
    """Open a bare connection."""
    return socket.create_connection((bgpy_server.HOST, server.port), timeout=30)


def cut(count: int, server: bgpy.Server, first: bytes, client: bgpy.Client, before: int) -> Row:
    """Send a part of a first message, or garbage, and leave, every other time with a reset."""
    seeded = random.Random(7)
    for number in range(count):
        said = first if number % 3 else seeded.randbytes(300)
        with connected(server) as stream, contextlib.suppress(ConnectionError):
            stream.sendall(said[: seeded.randrange(len(said))])
            if number % 2:
                linger = struct.pack("ii", 1, 0)
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if number % 100 == 0:
            assert client.call(number, timeout=30) == number
    settle(server, client, before)
    return Row(
        f"{count:,} connections cut at a random byte of the handshake",
        "another client's calls were answered, and no connection was left behind",
    )


def silent(count: int, server: bgpy.Server, client: bgpy.Client, before: int) -> Row:
    """Stay without a word."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 500 if hard == resource.RLIM_INFINITY else min(count + 500, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    count = min(count, max(soft, wanted) - 400)
    most = 0
    with contextlib.ExitStack() as stack:
        for number in range(count):
            stack.enter_context(connected(server))
            if number % 100 == 0:
                assert client.call(number, timeout=30) == number
                most = max(most, descriptors(server.pid) - before)
        with bgpy.Client(bgpy_server.HOST, server.port, server.token) as late:
            assert late.call("late", timeout=30) == "late"
    assert most <= PLACES + 20, f"the server holds {most} connections of strangers"
    settle(server, client, before)
    return Row(
        f"{count:,} silent connections at once",
        f"the server kept at most {most:,} of them, answered another client, and accepted a new "
        "one",
    )


def settle(server: bgpy.Server, client: bgpy.Client, before: int) -> None:
    """Wait until the server has noticed that they are gone."""
    limit = time.monotonic() + SETTLED_S
    while descriptors(server.pid) > before:
        assert time.monotonic() < limit, f"{descriptors(server.pid) - before} descriptors are left"
        client.ping(timeout=30)
