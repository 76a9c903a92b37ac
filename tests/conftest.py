"""Real servers in temporary directories, ended by process id whatever a test does."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.gate import Gate
from support.processes import Orphan, end
from support.scripts import Scripts

from bgpy import Client, Server

HOST = "127.0.0.1"

# A shell without job control has what it runs in the background ignore Ctrl-C, and nohup the end of
# the terminal, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give each test a registry of its own, and end the servers that it leaves behind."""
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(directory))
    monkeypatch.delenv("BGPY_TOKEN", raising=False)
    yield directory
    for entry in directory.glob("*.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):
            about = json.loads(entry.read_text())
            # The supervisor first, lest it starts the server again.
            for process in filter(None, (about["supervisor"], about["process"])):
                assert process["pid"] != os.getpid(), "a test leaves an entry of itself"
                end(process["pid"])


@pytest.fixture(autouse=True)
def plain_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what would change how servers and scripts print."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Return a function that starts a background server on a free port."""
    servers: list[Server] = []

    def start(host: str = HOST, port: int = 0, **options: Any) -> Server:
        server = Server(host, port, **options)
        servers.append(server)
        server.run_background()
        return server

    yield start
    for server in servers:
        if server.pid is not None:
            end(server.pid)
            server.wait(10)


@pytest.fixture
def orphan() -> Orphan:
    """Return a server whose starter has ended."""
    return Orphan()


@pytest.fixture
def serve(start: Callable[..., Server]) -> Callable[..., Client]:
    """Return a function that starts a server with tasks and returns its client."""

    def serve(
        exec_task: Callable[..., Any],
        init_task: Callable[..., Any] = dict,
        exit_task: Callable[..., Any] = lambda *_: None,
        **options: Any,
    ) -> Client:
        server = start(**options)
        client = Client(HOST, server.port, token=options.get("token"))
        client.initialize(init_task, exec_task, exit_task)
        return client

    return serve


@pytest.fixture
def gates(tmp_path: Path) -> Iterator[Callable[[], Gate]]:
    """Return a function that makes gates."""
    made: list[Gate] = []

    def make() -> Gate:
        made.append(Gate(tmp_path / f"gate{len(made)}"))
        return made[-1]

    yield make
    for gate in made:
        gate.close()


@pytest.fixture
def gate(gates: Callable[[], Gate]) -> Gate:
    """Return a gate."""
    return gates()


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Scripts]:
    """Return a directory to run scripts in."""
    scripts = Scripts(tmp_path / "scripts")
    yield scripts
    scripts.close()
