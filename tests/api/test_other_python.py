"""Client and server of two minor versions of Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest

import bgpy
from bgpy import Client, respond

HOST = "127.0.0.1"
VERSIONS = [f"3.{minor}" for minor in range(11, 20) if minor != sys.version_info.minor]

ECHO = """\
import enum, http
from bgpy import respond

def init_task():
    return {}

def exec_task(client_socket, state, args):
    if args == "code":
        args = lambda: 1
    respond(client_socket, args)

def exit_task(client_socket, state, args):
    pass
"""

CLIENT = """\
import datetime, decimal, http, pathlib, sys, uuid, zoneinfo
from bgpy import Client, SerializationError

client = Client("127.0.0.1", int(sys.argv[1]), allow_pickle=sys.argv[2] == "yes")
if sys.argv[2] == "yes":
    for wrong in (lambda: client.call(lambda: 1), lambda: client.call("code")):
        try:
            wrong()
        except SerializationError as error:
            print(error)
else:
    value = {
        "numbers": [None, True, 2**100, -0.0, 1j, decimal.Decimal("1.10")],
        "texts": ["file-\\udcff", b"b", bytearray(b"c")],
        "sets": ({1}, frozenset({"a"})),
        "times": [
            datetime.date(2026, 1, 2),
            datetime.time(1, 2, 3, fold=1),
            datetime.datetime(2026, 1, 2, fold=1, tzinfo=zoneinfo.ZoneInfo("UTC")),
            datetime.timedelta(-1),
            datetime.timezone(datetime.timedelta(hours=1), "home"),
        ],
        "names": [uuid.UUID(int=7), pathlib.Path("/a//b/../c"), pathlib.PureWindowsPath("c:/a")],
        "status": http.HTTPStatus.OK,
    }
    received = client.call(value)
    assert received == value and repr(received) == repr(value), received
    print("same")
"""


def candidates() -> Iterator[str]:
    """Yield interpreters: on the PATH, and beside this one, where pyenv, uv and asdf put them."""
    beside = Path(sys.base_prefix).parent
    for version in VERSIONS:
        if found := shutil.which(f"python{version}"):
            yield found
        yield from map(str, sorted(beside.glob(f"*/bin/python{version}")))


def runs(python: str, path: str) -> bool:
    """Tell whether an interpreter is there and can import what this one has installed."""
    script = "import sys, bgpy, cloudpickle; print(sys.version_info.minor)"
    try:
        done = subprocess.run(
            [python, "-c", script],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=60,
        )
    except OSError:
        return False
    return done.returncode == 0 and int(done.stdout) != sys.version_info.minor


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Return a function that runs a script with another minor version of Python."""
    # Of what is installed here, the other one gets no more than it needs: the wheel is for any.
    path = tmp_path_factory.mktemp("other")
    for module in (bgpy, cloudpickle):
        source = Path(module.__file__).parent
        (path / source.name).symlink_to(source)
    python = next((it for it in candidates() if runs(it, str(path))), None)
    if python is None:
        pytest.skip("there is no other version of Python from 3.11 on")

    def run(script, *arguments):
        done = subprocess.run(
            [python, "-c", script, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(path), "BGPY_RUNTIME_DIR": run.runtime},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_plain_data_passes_between_versions(other, start, runtime, tmp_path):
    tasks = tmp_path / "tasks.py"
    tasks.write_text(ECHO)
    server = start(init_file=tasks, allow_pickle=False)
    other.runtime = str(runtime)
    assert other(CLIENT, server.port, "no") == "same\n"


def test_code_of_another_version_is_refused(other, start, runtime):
    def run(client_socket, state, args):
        respond(client_socket, (lambda: 1) if args == "code" else args)

    server = start()
    Client(HOST, server.port).initialize(dict, run, print)
    other.runtime = str(runtime)
    there, here = filter(None, other(CLIENT, server.port, "yes").split("the message contains ")[1:])
    version = f"code for Python 3.{sys.version_info.minor}, which"
    assert version not in there
    assert here.startswith(version)
    assert Client(HOST, server.port).call("alive") == "alive"


SHARED = """\
import enum, functools
from bgpy import respond

class Mode(enum.Enum):
    FAST = 1

class Job:
    mode = Mode.FAST

    @functools.cache
    def twice(self, number):
        return 2 * number

def init_task():
    return {}

def exec_task(client_socket, state, args):
    job, mode, function = args
    own = [type(job) is Job, mode is Mode.FAST, function is exec_task]
    respond(client_socket, (own, job.twice(2), *args))

def exit_task(client_socket, state, args):
    pass
"""

SHARING = """\
import sys
sys.path.insert(0, sys.argv[2])
import shared
from bgpy import Client

client = Client("127.0.0.1", int(sys.argv[1]))
own, twice, job, mode, function = client.call(
    (shared.Job(), shared.Mode.FAST, shared.exec_task)
)
print(own, twice, type(job) is shared.Job, mode is shared.Mode.FAST, function is shared.exec_task)
"""


def test_what_both_versions_can_import_travels(other, start, runtime, tmp_path):
    tasks = tmp_path / "shared.py"
    tasks.write_text(SHARED)
    server = start(init_file=tasks)
    other.runtime = str(runtime)
    printed = other(SHARING, server.port, tmp_path)
    assert printed == "[True, True, True] 4 True True True\n"
    assert "RuntimeWarning" not in Path(server.log_file).read_text()
