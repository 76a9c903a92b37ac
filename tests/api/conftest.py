"""Gates and scripts for the tests in this directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .gate import Gate
from .scripts import Scripts


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
