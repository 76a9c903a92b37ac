"""The command for the tests in this directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from api.conftest import gate, gates

from .commands import CONSOLE, MODULE, Commands

__all__ = ["gate", "gates"]


@pytest.fixture
def commands() -> Iterator[Commands]:
    """Return the console script."""
    commands = Commands(CONSOLE)
    yield commands
    commands.close()


@pytest.fixture(params=[CONSOLE, MODULE], ids=["console", "module"])
def each_form(request: pytest.FixtureRequest) -> Iterator[Commands]:
    """Return each form of the command."""
    commands = Commands(request.param)
    yield commands
    commands.close()
