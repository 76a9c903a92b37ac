"""The pauses before a server that fails is started again, and what everybody sees of them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from support.processes import kill, state, supervisor_of

from bgpy import (
    CallTimeout,
    Client,
    ConnectionLost,
    NotRunning,
    Server,
    connect,
    servers,
    start,
)

with suppress(ImportError):  # Windows locks files in another way.
    import fcntl

LIMIT_S = 30
TASKS = """
import os
from bgpy import respond

with open({starts!r}, "a") as file:
    print(os.getpid(), file=file)


def init_task():
    if os.path.exists({busy!r}):
        raise RuntimeError("the device is busy")
    return {{}}


def exec_task(client_socket, state, args):
    if args == "die":
        os._exit(3)
    respond(client_socket, args)


def exit_task(client_socket, state, args):
    pass
"""


class Device:
    """A server's device, which may be busy, so that the server does not start."""

    def __init__(self, place: Path) -> None:
        self.busy, self.starts_file = place / "busy", place / "starts"
        self.tasks = place / "camera.py"
        text = TASKS.format(busy=str(self.busy), starts=str(self.starts_file))
        self.tasks.write_text(text)
        self.server: Server | None = None

    def start(self, policy: str = "on-failure") -> Server:
        self.server = start(self.tasks, "camera", restart=policy)
        return self.server

    def starts(self) -> list[int]:
        """Return the processes that have been started so far."""
        return [int(line) for line in self.starts_file.read_text().split()]

    def fail(self, failures: int = 3) -> int:
        """Have the server fail until it has so often; return its supervisor."""
        pid = servers()[0].pid
        supervisor = supervisor_of(pid)
        self.busy.touch()
        kill(pid)
        until(lambda: paused() and servers()[0].failures >= failures)
        return supervisor


@pytest.fixture
def device(tmp_path):
    """Return a device whose server is ended afterwards."""
    device = Device(tmp_path)
    yield device
    device.busy.unlink(missing_ok=True)
    if device.server is not None and servers():
        device.server.stop(20)


def until(true, limit=LIMIT_S):
    """Wait for what nobody tells of."""
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.005)


def paused():
    return [info.state for info in servers()] == ["RESTARTING"]


def gone(pid):
    until(lambda: not Path(f"/proc/{pid}").exists() or state(pid) == "Z")


def test_a_crash_of_a_server_that_was_well_is_followed_by_a_restart_at_once(device):
    server = device.start()
    client = connect("camera")
    with pytest.raises(ConnectionLost):
        client.call("die")
    assert client.call(1, timeout=20) == 1
    assert "next try" not in server.log_file.read_text()


def test_it_is_back_when_what_it_needs_is_back(device):
    server = device.start("on-failure:1")
    device.fail(5)
    # More often than the number that it was given, and for longer than those would have taken.
    device.busy.unlink()
    assert connect("camera").call(1, timeout=20) == 1
    (info,) = servers()
    assert info.next_try is None
    assert info.state in ("READY", "BUSY")
    assert info.failures >= 5
    assert "the device is busy" in info.last_failure
    pauses = [float(text) for text in re.findall(r"in ([0-9.]+)s\b", server.log_file.read_text())]
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert len(device.starts()) == info.generation + 1


def test_everybody_sees_how_it_fails_and_when_it_is_tried_again(device):
    device.start()
    device.fail(4)
    (info,) = servers()
    assert info.state == "RESTARTING"
    assert info.reason.startswith(f"it has failed {info.failures} times, last: exit code 1: ")
    assert "the device is busy" in info.reason
    assert "next try in" in info.reason
    assert 0 < info.next_try - time.time() < 31
    assert info.status is None


def test_a_call_waits_within_its_timeout_and_says_what_it_waited_for(device):
    device.start()
    device.fail(6)
    client = Client("camera")
    before = time.monotonic()
    with pytest.raises(CallTimeout, match=r"failed \d times, last: .*the device is busy"):
        client.call(1, timeout=0.3)
    assert 0.3 <= time.monotonic() - before < 5
    waiting: list[object] = []
    thread = threading.Thread(target=lambda: waiting.append(client.call(2, timeout=60)))
    thread.start()
    device.busy.unlink()
    thread.join(60)
    assert waiting == [2]


@pytest.mark.slow
def test_a_call_without_a_timeout_does_not_hang(device):
    device.start()
    device.fail(8)
    with pytest.raises(CallTimeout, match=r"next try in \d+s"):
        Client("camera").call(1)


def test_whoever_waits_by_address_or_socket_waits_as_well(device):
    server = device.start()
    (info,) = servers()
    device.fail(4)
    answers: list[object] = []

    def call(target: str) -> None:
        answers.append(connect(target, timeout=60).call("here", timeout=60))

    targets = ["camera", f"127.0.0.1:{server.port}", str(info.socket)]
    threads = [threading.Thread(target=call, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    device.busy.unlink()
    for thread in threads:
        thread.join(60)
    assert answers == ["here"] * len(threads)


@pytest.mark.parametrize("way", ["stop", "SIGTERM", "SIGINT", "SIGHUP"])
def test_a_pause_ends_when_the_server_is_to_end(device, way):
    server = device.start()
    supervisor = device.fail(6)
    starts = device.starts()
    before = time.monotonic()
    if way == "stop":
        server.stop(20)
    else:
        os.kill(supervisor, getattr(signal, way))
    gone(supervisor)
    # The pause would be longer than that, and a process of the server takes its time.
    assert time.monotonic() - before < 2
    assert server.wait(20) == 0
    (info,) = servers(ended=True)
    assert (info.state, info.exit_code) == ("EXITED", 0)
    assert device.starts() == starts
    with pytest.raises(NotRunning):
        connect("camera").call(1)
    # Its place is free.
    device.busy.unlink()
    start(device.tasks, "camera", port=server.port).stop(20)


def test_a_supervisor_that_is_killed_in_a_pause_leaves_nothing_that_listens(device):
    server = device.start()
    (info,) = servers()
    supervisor = device.fail(5)
    queued = socket.socket(socket.AF_UNIX)
    queued.connect(str(info.socket))
    kill(supervisor)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)
    with socket.socket(socket.AF_UNIX) as other, pytest.raises(OSError, match="refused|No such"):
        other.connect(str(info.socket))
    queued.settimeout(5)
    with queued, suppress(ConnectionResetError):
        assert queued.recv(1) == b""
    with pytest.raises(NotRunning):
        connect("camera").call(1)
    until(lambda: not servers())
    (info,) = servers(ended=True)
    assert info.state == "FAILED"


def test_its_entry_comes_back_while_it_has_no_process(device, runtime):
    device.start()
    device.fail(5)
    (entry,) = runtime.glob("*.json")
    entry.unlink()
    until(entry.exists)
    device.busy.unlink()
    assert connect("camera").call(1, timeout=30) == 1


def test_what_stands_in_the_place_of_its_entry_then_is_not_believed(device, runtime, tmp_path):
    server = device.start()
    device.fail(5)
    (entry,) = runtime.glob("*.json")
    somebodys = tmp_path / "somebodys"
    somebodys.write_text(entry.read_text().replace("camera", "cinema"))
    before = somebodys.read_text()
    replacements = [
        lambda: entry.symlink_to(somebodys),
        entry.mkdir,
        lambda: os.mkfifo(entry),
        lambda: entry.write_text("{garbage"),
        lambda: entry.write_text(before),
    ]
    for replace in replacements:
        put(entry, replace)
        # Also a pause that begins just now finds it.
        until(lambda: is_told_in(entry))
    until(paused)
    assert somebodys.read_text() == before
    device.busy.unlink()
    assert connect("camera").call(1, timeout=30) == 1
    # What the supervisor has written is not foreign to the server.
    entry.unlink()
    until(entry.exists)
    assert "replaced a foreign file" not in server.log_file.read_text()


def put(entry, replace):
    """Replace the entry, which the supervisor may write again at the same moment."""
    while True:
        entry.unlink(missing_ok=True)
        with suppress(FileExistsError):
            replace()
            return


def is_told_in(entry):
    if entry.is_symlink() or not entry.is_file():
        return False
    try:
        told = json.loads(entry.read_text())
    except ValueError:
        return False
    return told["name"] == "camera" and told["failing"] is not None


def test_crashes_of_one_that_starts_are_slowed_down_after_so_many(device):
    server = device.start("on-failure:2")
    client = connect("camera")
    for _ in range(5):
        with pytest.raises(ConnectionLost):
            client.call("die", timeout=20)
    assert client.call(1, timeout=20) == 1
    pauses = [float(text) for text in re.findall(r"in ([0-9.]+)s\b", server.log_file.read_text())]
    assert pauses == [0.1, 0.2, 0.4, 0.8]


def test_clients_wait_for_a_server_that_is_about_to_start(runtime, device):
    # As by `bgpy restart`, between the end of the old server and the start of the new one.
    with (runtime / "camera.starting").open("w") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        with ThreadPoolExecutor() as pool:
            called = pool.submit(Client("camera").call, 1, 20)
            with pytest.raises(NotRunning):
                Client("printer").call(1, 20)
            assert not called.done()
            with start(device.tasks, "camera"):
                assert called.result(20) is not None
    with pytest.raises(NotRunning):
        Client("camera").call(1, 20)
