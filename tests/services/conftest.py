"""Servers that have an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.processes import end

import bgpy


@pytest.fixture
def host() -> Iterator[Callable[..., bgpy.Server]]:
    """Return a function that starts a server with an object, as `bgpy.start` does."""
    servers: list[bgpy.Server] = []

    def host(factory: Any, name: str | None = None, **options: Any) -> bgpy.Server:
        server = bgpy.start(factory, name, **options)
        servers.append(server)
        return server

    yield host
    for server in servers:
        if server.pid is not None:
            end(server.pid)
            server.wait(10)


@pytest.fixture
def served(host: Callable[..., bgpy.Server]) -> Callable[..., Any]:
    """Return a function that starts a server with an object and returns a proxy of that."""

    def served(factory: Any, **options: Any) -> Any:
        cls = factory if isinstance(factory, type) else None
        return bgpy.connect(host(factory, **options)).service(cls)

    return served
