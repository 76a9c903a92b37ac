"""Clients with the token that stop reading, die or come in crowds.

What a peer can send that breaks the protocol is tested in ``crates/bgpy/tests/hostile.rs``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from bgpy import CallTimeout

from .target import LIMIT_S, SLACK_BYTES, Pipe, Target, Witness

OUTBOX_BYTES_MAX = 256 << 20

HEAD = """
import sys
from bgpy import Client
client = Client("127.0.0.1", int(sys.argv[1]))
"""


@pytest.fixture
def script(target: Target) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Return a function that runs a client in a process of its own."""
    processes: list[subprocess.Popen[bytes]] = []

    def script(text: str) -> subprocess.Popen[bytes]:
        head = (
            "import sys\nfrom bgpy import Client\nclient = Client('127.0.0.1', int(sys.argv[1]))\n"
        )
        command = [sys.executable, "-c", head + dedent(text), str(target.server.port)]
        processes.append(subprocess.Popen(command))
        return processes[-1]

    yield script
    for process in processes:
        process.kill()
        process.wait()


def most_resident_bytes(target: Target) -> int:
    """Return the most memory that the server ever used."""
    lines = Path(f"/proc/{target.server.pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


def test_a_client_that_stops_reading_is_cut_off(
    target: Target, pipe: Pipe, script: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    calls, size = 8, 64 << 20
    assert calls * size > OUTBOX_BYTES_MAX + size
    before = target.looker.status()["calls"]
    task = target.occupy(pipe)
    process = script(f"""
        import threading
        for _ in range({calls}):
            threading.Thread(target=lambda: client.call({{"size": {size}}})).start()
    """)
    target.until(lambda: target.looker.status(timeout=LIMIT_S)["queue"] == calls)
    os.kill(process.pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    with Witness(target):
        pipe.release()
        task.join()
        target.until(lambda: target.looker.status(timeout=LIMIT_S)["calls"] > before + calls)
    # All of its calls have run. It stands still, but its connection is gone, and what it held.
    target.settle_clients(1)
    assert most_resident_bytes(target) < target.bytes + OUTBOX_BYTES_MAX + 3 * size
    target.is_as_before()


def test_a_client_that_dies_while_it_sends(
    target: Target, script: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    with Witness(target):
        for _ in range(3):
            process = script("while True: client.call(bytes(512 << 20))")
            target.until(lambda: target.resident_bytes() > target.bytes + (80 << 20))
            process.kill()
            process.wait()
            target.until(lambda: target.looker.status(timeout=LIMIT_S)["clients"] <= 3)
    target.is_as_before()


def test_a_client_that_dies_while_it_receives(
    target: Target, script: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    with Witness(target):
        for _ in range(3):
            process = script('while True: client.call({"size": 256 << 20})')
            target.until(lambda: target.resident_bytes() > target.bytes + (80 << 20))
            process.kill()
            process.wait()
            target.until(lambda: target.resident_bytes() < target.bytes + (80 << 20))
    # What the allocator keeps of the copies is given back half a minute later.
    target.is_as_before(2 * LIMIT_S)


def test_clients_that_give_up_and_leave_are_noticed(target: Target, pipe: Pipe, way: str) -> None:
    task = target.occupy(pipe)
    for _ in range(60):
        with target.client() as client:
            client.ping()
            with pytest.raises(CallTimeout):
                client.call("in vain", timeout=0.03)
    # The one that looks, and the one whose task runs.
    target.settle_clients(2, LIMIT_S / 3)
    assert target.looker.status()["queue"] == 0
    pipe.release()
    task.join()
    target.is_as_before(LIMIT_S / 3)


def test_calls_that_were_given_up_take_no_memory(target: Target, pipe: Pipe) -> None:
    task = target.occupy(pipe)
    with target.client() as client:
        client.ping()
        for _ in range(6):
            with pytest.raises(CallTimeout):
                client.call(bytes(40 << 20), timeout=0.5)
    # While the task runs still.
    target.until(lambda: target.resident_bytes() < target.bytes + 2 * SLACK_BYTES)
    pipe.release()
    task.join()
    target.is_as_before()


def test_clients_that_come_and_go(target: Target, way: str) -> None:
    for _ in range(1500):
        with target.client() as client:
            client.ping()
    target.is_as_before()


def test_a_crowd_of_idle_clients(target: Target, way: str) -> None:
    clients = [target.client() for _ in range(300)]
    for client in clients:
        client.ping()
    assert target.looker.status()["clients"] == 301
    assert target.resident_bytes() < target.bytes + 300 * (8 << 10) + (2 << 20)
    with Witness(target):
        for client in clients:
            client.ping(timeout=LIMIT_S)
    for client in clients:
        client.close()
    target.is_as_before()


def test_a_flood_of_calls_leaves_nothing_behind(target: Target, pipe: Pipe) -> None:
    calls = 50_000
    before = target.looker.status()["calls"]
    task = target.occupy(pipe)
    with target.client() as client:
        for number in range(calls):
            client.execute(number, timeout=LIMIT_S)
    assert target.looker.status()["queue"] == calls
    pipe.release()
    task.join()
    target.until(lambda: target.looker.status(timeout=LIMIT_S)["calls"] == before + 1 + calls)
    target.is_as_before()
