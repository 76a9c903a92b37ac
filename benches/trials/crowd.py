"""Many servers of one user at once."""

from __future__ import annotations

import bgpy
from load_tasks import exec_task, exit_task, init_task
from trials import Row, Scale
from workspace import Placement, Workspace


def run(scale: Scale) -> list[Row]:
    """Start them, find each by its name, call it, and end it."""
    count = scale.count(200, 10)
    with Workspace(Placement.FREE):
        servers = []
        try:
            for number in range(count):
                tasks = init_task, exec_task, exit_task
                servers.append(bgpy.start(tasks, f"one-{number}"))
            assert len({server.pid for server in servers}) == count
            assert len(bgpy.servers()) == count
            for number in range(count):
                with bgpy.connect(f"one-{number}") as client:
                    assert client.call(number) == number
                    assert client.status()["pid"] == servers[number].pid
        finally:
            for server in servers:
                server.stop(30)
        assert bgpy.servers() == []
    return [
        Row(f"{count:,} servers at once", "each was found by its name, answered, and was stopped")
    ]
