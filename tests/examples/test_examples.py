"""Each example is run as its user runs it, says what it should, and leaves nothing running."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


@pytest.fixture(autouse=True)
def nothing_is_left(runtime: Path) -> Iterator[None]:
    yield
    wait_for_ends(runtime)
    assert not list(runtime.glob("*.json"))


def wait_for_ends(runtime: Path) -> None:
    """Wait until each server that has logged in the directory is gone."""
    for log in runtime.glob("*.log"):
        text = log.read_text()
        pid = int(re.search(r" ready at \S+ \(process (\d+)\)", text)[1])
        # Only Linux lets a process wait for one that is not its child.
        with suppress(ProcessLookupError, AttributeError):
            process = os.pidfd_open(pid)
            ended, _, _ = select.select([process], [], [], 30)
            os.close(process)
            assert ended, f"process {pid} still runs; its log:\n{text}"


def run(script: str, *arguments: str) -> str:
    """Run an example from somewhere else, and return what its user sees."""
    return python(str(EXAMPLES / script), *arguments)


def terminate(port: str) -> None:
    assert python("-m", "bgpy", "terminate", "127.0.0.1", port) == f"Terminated 127.0.0.1:{port}.\n"


def python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_every_example_is_run_here():
    found = {path.name for path in EXAMPLES.iterdir() if path.name != "__pycache__"}
    assert found == {
        "job_queue.py",
        "quick_start.py",
        "seed_example.py",
        "sqlite_server.py",
        "two_scripts",
        "warm_model",
    }


def test_job_queue():
    assert run("job_queue.py").splitlines() == [
        "frame-2 ...**...",
        "frame-4 ..****..",
        "frame-2 ...**...",
        "frame-6 .******.",
        "3 frames were rendered",
        "ValueError('there is no frame -1'); the server goes on",
        "['frame--1: failed', 'frame-2: done', 'frame-4: done', 'frame-6: done']",
    ]


def test_quick_start():
    assert "'request_count': 3, 'value': 910, 'status': 'Exited.'" in run("quick_start.py")


def test_seed_example(port):
    assert run("seed_example.py", port).splitlines() == [
        "{'message': 'Initialization successful.'}",
        """{'message': "Received 'EXEC'"}""",
        """{'message': "Received 'EXEC'"}""",
        "{'request_count': 3, 'value': 910, 'status': 'Exited.'}",
    ]


def test_sqlite_server(port):
    assert run("sqlite_server.py", port).splitlines() == [
        "[(100, 50500)]",
        "the server keeps running after OperationalError('no such table: guests')",
        "[('day 100', 1000)]",
    ]


def test_two_scripts(port, runtime):
    started = run("two_scripts/start.py", port)
    assert re.fullmatch(rf"a server remembers notes on port {port}, in process \d+\n", started)
    assert run("two_scripts/call.py", "buy milk", port) == "1. buy milk\n"
    assert run("two_scripts/call.py", "call home", port) == "1. buy milk\n2. call home\n"
    terminate(port)
    wait_for_ends(runtime)
    (log,) = runtime.glob("*.log")
    assert "\n2 notes are gone\n" in log.read_text()


def test_warm_model(port):
    answer = r"{} = {}, after \d+\.\d{{3}} s\n"
    cold = run("warm_model/use.py", "360360", port)
    loading = "the model is not loaded yet: loading it\n"
    assert re.fullmatch(
        loading + answer.format(360360, r"2 \* 2 \* 2 \* 3 \* 3 \* 5 \* 7 \* 11 \* 13"), cold
    )
    warm = run("warm_model/use.py", "1999993", port)
    assert re.fullmatch(answer.format(1999993, 1999993), warm)
    terminate(port)
