"""Ray: calls of an actor in flight, and a generator of an actor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ray

from .flow import Flow
from .ray_calls import Actor
from .way import Shelf


class Generators(Shelf):
    """The actor."""

    def echo(self, data: bytes) -> bytes:
        """Return the bytes."""
        return data

    def stream(self, count: int) -> Iterator[Any]:
        """Yield what is held, so many times."""
        for _ in range(count):
            yield self.held


class Calls(Flow, Actor):
    """All calls begin, then their results are fetched at once."""

    title = "Ray, actor"
    calls_max = 2_000
    kind = Generators

    def pipeline(self, data: bytes, count: int) -> list[bytes]:
        echo = self.actor.echo.remote
        return ray.get([echo(data) for _ in range(count)])

    def stream(self, data: Any, count: int) -> tuple[int, Any]:
        value, number = None, 0
        for reference in self.actor.stream.options(num_returns="streaming").remote(count):
            value = ray.get(reference)
            number += 1
        return number, value
