"""A server to attack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bgpy import Server

from .target import TASKS, Pipe, Target


@pytest.fixture
def target(start: Callable[..., Server], runtime: Path, tmp_path: Path) -> Target:
    """Return a server that sends back what it is sent."""
    tasks = tmp_path / "tasks.py"
    tasks.write_text(TASKS)
    return Target(start(init_file=str(tasks)), runtime)


@pytest.fixture(params=["tcp", "unix"])
def way(
    request: pytest.FixtureRequest,
    target: Target,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Return the way by which hostile peers and new clients come."""
    if request.param == "tcp":
        # A server that is not in the registry might be on another machine.
        monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
        target.client().ping()
    return request.param


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    """Return where tasks wait."""
    pipe = Pipe(tmp_path / "pipe")
    yield pipe
    pipe.close()
