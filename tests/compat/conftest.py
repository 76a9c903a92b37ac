"""The old default address, and the command."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest


@pytest.fixture
def default_address() -> None:
    """Make sure that the tests which need the default port can have it."""
    try:
        socket.create_server(("127.0.0.1", 54321)).close()
    except OSError as error:
        pytest.fail(
            f"this test needs port 54321 of this machine, which something else uses: {error}"
        )


@pytest.fixture
def port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture
def console() -> str:
    """Return the path of the installed command."""
    return str(Path(sys.executable).with_name("bgpy"))
