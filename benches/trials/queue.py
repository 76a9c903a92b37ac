"""Calls that wait while a task runs."""

from __future__ import annotations

import os
import threading

import bgpy_server
from load_tasks import exec_task, exit_task, init_task
from trials import Row, Scale, resident_mib
from workspace import Placement, Workspace


def run(scale: Scale) -> list[Row]:
    """Have a quarter of a million calls accepted, and then run."""
    count = scale.count(250_000, 1000)
    count = min(count, 250_000)
    with Workspace(Placement.FREE) as workspace:
        server = bgpy_server.start(workspace)
        pipe = workspace.directory / "pipe"
        os.mkfifo(pipe)
        held = os.open(pipe, os.O_RDWR)
        with bgpy_server.same_host(server) as client, bgpy_server.same_host(server) as holder:
            client.initialize(init_task, exec_task, exit_task)
            before = resident_mib(server.pid)
            holding = threading.Thread(target=holder.call, args=({"wait": str(pipe)},))
            holding.start()
            while client.status()["busy_s"] is None:
                pass
            for number in range(count):
                client.execute({"queued": number})
            waiting, full = client.status()["queue"], resident_mib(server.pid) - before
            os.write(held, b".")
            ran, in_order = client.call("queued?", timeout=600)
            holding.join()
            assert client.status()["queue"] == 0
        os.close(held)
    assert waiting == count
    assert ran == count
    assert in_order
    seen = f"each ran once and in order; the queue took {full:.0f} MiB"
    return [Row(f"{count:,} calls queued behind one task", seen)]
