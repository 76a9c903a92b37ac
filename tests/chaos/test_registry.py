"""The directory of servers when it is full, or another user's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpy import ConfigError, connect, respond, servers, start

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts, and becomes others")

OTHER = 65_534
MOUNT = 'mount -t tmpfs -o size=64k,mode=700 none "$0" && exec "$@"'
ON_SMALL_DISK = ["unshare", "--mount", "sh", "-c", MOUNT]

# Runs where the runtime directory is a disk of 64 KiB.
FILLS_THE_DISK = """
import json, os, pathlib
from bgpy import Client, NotRunning, Server, StartError, connect, respond, servers, start

def echo(client_socket, state, args):
    respond(client_socket, args)

tasks = (dict, echo, lambda *_: None)
before = start(tasks, "before")
disk = pathlib.Path(os.environ["BGPY_RUNTIME_DIR"])
with (disk / "filler").open("wb", buffering=0) as filler:
    try:
        while filler.write(bytes(512)):
            pass
    except OSError as error:
        assert error.strerror == "No space left on device"
told = {}
told["before"] = connect("before").call(1)
# The answer comes before the call is over.
while servers()[0].state == "BUSY":
    pass
try:
    start(tasks, "after")
except StartError as error:
    told["named"] = str(error)
token = "a token of the tests that is long enough"
unnamed = start(tasks, token=token)
told["unnamed"] = Client("127.0.0.1", unnamed.port, token=token).call(2)
unnamed.stop(20)
told["listed"] = [(info.name, info.state) for info in servers()]
before.stop(20)
told["ended"] = [before.wait(20), len(servers())]
try:
    connect("before")
except NotRunning:
    told["gone"] = True
(disk / "filler").unlink()
again = start(tasks, "before")
told["again"] = connect("before").call(3)
again.stop(20)
print(json.dumps(told))
"""

# Loads everything, and then becomes another user, who has a server and a directory too.
AS_ANOTHER_USER = """
import inspect, json, os, pickle, signal, sys, threading, traceback
import bgpy, bgpy._by_value, bgpy._code.define
from bgpy import AuthError, BgpyError, Client, NotRunning, Server, connect, servers

own, theirs, socket, port, user = *sys.argv[1:5], int(sys.argv[5])
os.setgroups([])
os.setgid(user)
os.setuid(user)
told = {}

def outcome(target):
    try:
        return connect(target, timeout=10).status()["pid"]
    except BgpyError as error:
        return [type(error).__name__, str(error)]

os.environ["BGPY_RUNTIME_DIR"] = theirs
try:
    listed = servers(ended=True)
except BgpyError as error:
    listed = str(error)
told["theirs"] = [listed, outcome("camera"), outcome(socket)]
told["port"] = outcome(f"127.0.0.1:{port}")
os.environ["BGPY_RUNTIME_DIR"] = own
told["own"] = [len(servers()), outcome("camera")]

def use():
    while True:
        try:
            client = connect("camera")
            break
        except NotRunning:
            pass
    client.initialize(dict, lambda client_socket, *_: bgpy.respond(client_socket, os.getuid()),
                      lambda *_: None)
    told["server"] = [client.call(1), [(info.name, info.state) for info in servers()]]
    client.terminate()

thread = threading.Thread(target=use, daemon=True)
thread.start()
Server(name="camera", log_level="CRITICAL").run()
thread.join(30)
print(json.dumps(told))
"""


def run(command: list[object], **options: object) -> dict[str, object]:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, **options
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_on_a_full_disk_what_runs_goes_on(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run([*ON_SMALL_DISK, disk, "true"], capture_output=True, check=False)
    if mount.returncode != 0:
        pytest.skip("nothing can be mounted here")
    environment = os.environ | {"BGPY_RUNTIME_DIR": str(disk)}
    told = run([*ON_SMALL_DISK, disk, sys.executable, "-c", FILLS_THE_DISK], env=environment)
    assert told["before"] == 1
    assert str(disk) in told["named"]
    assert "No space left" in told["named"]
    assert told["unnamed"] == 2
    assert ["before", "READY"] in told["listed"]
    assert "after" not in dict(told["listed"])
    assert told["ended"] == [0, 0]
    assert told["gone"]
    assert told["again"] == 3


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """Return a directory that another user can reach and has made theirs."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        own = Path(place) / "run"
        own.mkdir(mode=0o700)
        os.chown(own, OTHER, OTHER)
        yield own


def test_two_users_of_one_machine(runtime, elsewhere):
    def exec_task(client_socket, state, args):
        respond(client_socket, args)

    server = start((dict, exec_task, lambda *_: None), "camera")
    (info,) = servers()
    command = [sys.executable, "-c", AS_ANOTHER_USER, elsewhere, runtime]
    told = run([*command, info.socket, server.port, OTHER], cwd="/")
    none, by_name, by_socket = told["theirs"]
    for told_of in (none, by_name[1], by_socket[1], told["port"][1]):
        assert f"the registry '{runtime}' cannot be trusted" in told_of
    assert by_name[0] == by_socket[0] == told["port"][0] == "ConnectError"
    assert told["own"][0] == 0
    assert told["own"][1][0] == "NotRunning"
    assert told["server"] == [OTHER, [["camera", "READY"]]]
    # And this user's has not noticed.
    assert [(info.name, info.state) for info in servers()] == [("camera", "READY")]
    assert connect("camera").call(1) == 1
    # A directory that is another user's is none.
    os.environ["BGPY_RUNTIME_DIR"] = str(elsewhere)
    with pytest.raises(ConfigError, match="another user owns it"):
        servers()
    with pytest.raises(Exception, match="another user owns it"):
        start((dict, exec_task, lambda *_: None), "lens")
    os.environ["BGPY_RUNTIME_DIR"] = str(runtime)
    server.stop(20)


# Runs in a container that has a host name of its own, and this user's home.
IN_A_CONTAINER = ["unshare", "--uts", "--pid", "--fork", "--mount-proc", sys.executable, "-c"]
UNDER_ANOTHER_NAME = """
import json, socket
socket.sethostname("container")
from bgpy import NameTaken, connect, respond, servers, start

def exec_task(client_socket, state, args):
    respond(client_socket, args)

tasks = (dict, exec_task)
told = {"listed": [(info.name, info.state) for info in servers()]}
told["call"] = connect("camera").call(1)
try:
    start(tasks, "camera")
except NameTaken as error:
    told["start"] = str(error)
told["found"] = start(tasks, "camera", exist_ok=True).is_started_here
print(json.dumps(told))
"""


def test_a_container_that_shares_the_home_has_the_same_servers(runtime):
    def exec_task(client_socket, state, args):
        respond(client_socket, args)

    if subprocess.run([*IN_A_CONTAINER, ""], capture_output=True, check=False).returncode != 0:
        pytest.skip("there can be no containers here")
    server = start((dict, exec_task), "camera")
    told = run([*IN_A_CONTAINER, UNDER_ANOTHER_NAME])
    assert told["listed"] == [["camera", "READY"]]
    assert told["call"] == 1
    assert "already running" in told["start"]
    assert told["found"] is False
    server.stop(20)
