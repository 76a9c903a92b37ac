"""Clients that vanish are gone from the server within a minute; those that stand still are not."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.processes import stand_still

from bgpy import connect, token_create

from .target import TASKS, Pipe

LIMIT_S = 30
MINUTE_S = 60
BYTES = 60_000_000

START = """
import sys
from bgpy import start
server = start(sys.argv[1], "target", host="0.0.0.0", port=0, token=sys.argv[2])
print(server.port, server.pid, server.log_file)
"""

CLIENT = """
import sys
from bgpy import BgpyError, Client
client = Client(sys.argv[1], int(sys.argv[2]), token=sys.argv[3])
client.ping(timeout=30)
print("ready", flush=True)
sys.stdin.readline()
try:
    print(len(client.call(eval(sys.argv[4]))), flush=True)
except BgpyError as error:
    print(type(error).__name__, flush=True)
"""

# Since then Linux asks one that has no room every few seconds, however long it has had none.
ASKS_OFTEN = tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (6, 15)

# In /proc/net/tcp: the system waits until it is time to ask for room.
ASKS_FOR_ROOM = "04"


def may_make_networks() -> bool:
    """Tell whether there can be networks that are apart from this one."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        return False
    cable = ["ip", "link", "add", "near", "type", "veth", "peer", "name", "far"]
    return subprocess.run(["unshare", "--net", *cable], capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not may_make_networks(), reason="only root can make networks, by ip(8)"),
]


def until(is_so: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    end = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


class Machine:
    """A network of its own, for as long as a process in it is there."""

    def __init__(self, stack: ExitStack, *command: str) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        # In front of the command, so that there is a word from there when there is a network.
        begin = ["sh", "-c", 'echo here && read go && exec "$@"', "sh"]
        self.process = stack.enter_context(
            subprocess.Popen(["unshare", "--net", *begin, *command], **pipes)
        )
        stack.callback(self.process.kill)
        assert self.read() == "here"

    def run(self, *command: str) -> str:
        """Run a command there."""
        inside = ["nsenter", "--target", str(self.process.pid), "--net", *command]
        done = subprocess.run(inside, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def read(self) -> str:
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()


class World:
    """A server, and a client that looks at it."""

    def __init__(self, stack: ExitStack, tasks: Path) -> None:
        self.stack, self.clients = stack, 0
        self.machine = Machine(stack, "cat")
        self.machine.run("ip", "link", "set", "lo", "up")
        self.token = token_create()
        told = self.machine.run(sys.executable, "-c", START, str(tasks), self.token).split()
        self.port, self.pid, self.log = told[0], int(told[1]), Path(told[2])
        self.looker = stack.enter_context(connect("target"))

    def status(self) -> dict:
        return self.looker.status(timeout=LIMIT_S)

    def client(self, argument: str) -> Remote:
        """Return a client on a machine of its own, which is connected and calls when told to."""
        self.clients += 1
        return Remote(self, f"near{self.clients}", f"10.77.{self.clients}", argument)


class Remote(Machine):
    """A client, and the cable between its machine and the server's."""

    def __init__(self, world: World, cable: str, network: str, argument: str) -> None:
        self.world, self.cable, self.address = world, cable, f"{network}.2"
        server = f"{network}.1"
        command = [sys.executable, "-c", CLIENT, server, world.port, world.token, argument]
        super().__init__(world.stack, *command)
        pid, here, there = str(self.process.pid), world.machine.run, self.run
        here("ip", "link", "add", cable, "type", "veth", "peer", "name", "far", "netns", pid)
        for run, name, address in ((here, cable, server), (there, "far", self.address)):
            run("ip", "address", "add", f"{address}/24", "dev", name)
            run("ip", "link", "set", name, "up")
        self.go_on()
        assert self.read() == "ready"

    def vanish(self, how: str) -> float:
        """Have the network pass nothing more, and return when that was."""
        if how == "unplugged":
            self.run("ip", "link", "set", "far", "down")
        else:
            # The cable is there, but nobody at the other end of it knows the address any more.
            (link,) = json.loads(self.run("ip", "-json", "link", "show", "far"))
            neighbour = [
                self.address,
                "lladdr",
                link["address"],
                "dev",
                self.cable,
                "nud",
                "permanent",
            ]
            self.world.machine.run("ip", "neighbour", "replace", *neighbour)
            self.run("ip", "address", "flush", "dev", "far")
        return time.monotonic()

    def timer(self) -> str:
        """Tell what the server's system waits for with the connection, as in proc_net_tcp(5)."""
        address = bytes(map(int, reversed(self.address.split(".")))).hex().upper()
        for line in Path(f"/proc/{self.world.pid}/net/tcp").read_text().splitlines():
            if f" {address}:" in line:
                return line.split()[5].partition(":")[0]
        return "gone"

    def is_told(self) -> bool:
        """Whether the log says that it has vanished."""
        return f"the client at {self.address}:" in self.world.log.read_text()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    tasks = tmp_path / "tasks.py"
    tasks.write_text(TASKS)
    with ExitStack() as stack:
        yield World(stack, tasks)


def test_who_has_vanished_is_gone_within_a_minute(world: World, pipe: Pipe) -> None:
    large = f"{{'size': {BYTES}}}"
    waits = world.client(f"{{'wait': {pipe.path!r}}}")
    idle = world.client("0")
    uploads = world.client(f"bytes({BYTES})")
    downloads = [world.client(large) for _ in range(3)]
    stopped, stopped_and_gone = world.client(large), world.client(large)
    everybody = [waits, idle, uploads, *downloads, stopped, stopped_and_gone]
    until(lambda: world.status()["clients"] == len(everybody) + 1)

    # Their answers are sent when the task ends for which they all wait.
    waits.go_on()
    until(lambda: world.status()["busy_s"] is not None)
    receivers = [*downloads, stopped, stopped_and_gone]
    for client in receivers:
        client.go_on()
    until(lambda: world.status()["queue"] == len(receivers))
    before, midway, behind = downloads
    for client in (midway, stopped, stopped_and_gone):
        stand_still(client.process.pid)
    cut = {
        client: client.vanish(how)
        for client, how in (
            (waits, "forgotten"),
            (idle, "forgotten"),
            (uploads, "unplugged"),
            (before, "unplugged"),
            (behind, "forgotten"),
        )
    }
    uploads.go_on()
    pipe.release()
    for client in (midway, stopped, stopped_and_gone):
        until(lambda client=client: client.timer() == ASKS_FOR_ROOM)
    # It has had no room, has some again, and is gone as it takes more.
    os.kill(midway.process.pid, signal.SIGCONT)
    cut[midway] = midway.vanish("unplugged")
    cut[stopped_and_gone] = stopped_and_gone.vanish("forgotten")

    vanished = [client for client in cut if ASKS_OFTEN or client is not stopped_and_gone]
    gone: dict[Remote, float] = {}
    while len(gone) < len(vanished):
        for client in vanished:
            if client not in gone and client.is_told():
                gone[client] = time.monotonic() - cut[client]
        assert time.monotonic() < max(cut.values()) + MINUTE_S, gone
        assert not stopped.is_told()
        time.sleep(0.05)
    assert max(gone.values()) < MINUTE_S
    assert {client.timer() for client in vanished} == {"gone"}
    assert world.status()["clients"] == len(everybody) + 1 - len(vanished)

    # Who could not write its call has noticed it as well, and who only stood still goes on.
    assert uploads.read() == "ConnectionLost"
    os.kill(stopped.process.pid, signal.SIGCONT)
    assert stopped.read() == str(BYTES)
