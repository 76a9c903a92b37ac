"""Servers that have an object; the fixture `runtime` ends them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bgpy
from services.trainer import Trainer


@pytest.fixture
def host(runtime: object) -> Callable[..., bgpy.Server]:
    """Return a function that starts a server with an object, as `bgpy.start` does."""
    return bgpy.start


@pytest.fixture
def served(host: Callable[..., bgpy.Server]) -> Callable[..., Any]:
    """Return a function that starts a server with an object and returns a proxy of that."""

    def served(factory: Any, **options: Any) -> Any:
        cls = factory if isinstance(factory, type) else None
        return bgpy.connect(host(factory, **options)).service(cls)

    return served


@pytest.fixture
def trainer(served: Callable[..., Any]) -> Any:
    """Return a proxy of a `Trainer`."""
    return served(Trainer)
