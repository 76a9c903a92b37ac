"""Gates and scripts for the tests in this directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bgpy import Client

from .gate import Gate
from .scripts import Scripts

TOKEN = "a token of the tests that is long enough"


@pytest.fixture(autouse=True)
def plain_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what would change how servers and scripts print."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


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


@pytest.fixture(params=["unix", "tcp"])
def connect(request, start, tmp_path, monkeypatch):
    """Return a function that starts a server with a task and connects to it, by either way."""

    def connect(exec_task: Callable[..., object]) -> Client:
        server = start(token=TOKEN)
        if request.param == "tcp":
            # Where no entry is found, there is no socket file either.
            (tmp_path / "elsewhere").mkdir(mode=0o700)
            monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
        client = Client("127.0.0.1", server.port, token=TOKEN)
        client.initialize(dict, exec_task, lambda *_: None)
        return client

    return connect
