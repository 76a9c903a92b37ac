"""The memory of both sides while the reader of a stream does not read on."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

import bgpy
import bgpy_server
import flow_tasks
from bgpy import aio
from result import Goal, Result, Scale, Table
from workspace import Placement, Workspace, apart, deadline

from .peak import GB, Process
from .streams import DATA, ITEM_BYTES, ITEMS, array

MIB = 1 << 20
WINDOW = 1 << 20
SMALL, ARRAYS = "small values", "arrays of 1 MB"
VALUE_BYTES = {SMALL: len(DATA), ARRAYS: ITEMS * ITEM_BYTES}
# Far more than a window.
COUNT = {SMALL: 1_000_000, ARRAYS: 1_000}
BLOCKING, AIO = "blocking client", "asyncio client"
# Without work for so long, the server waits for its reader.
STILL_S, LIMIT_S = 0.5, 60.0


@dataclass
class Growth:
    """How much both processes grew, in MiB, and how many values the task was ahead."""

    server: float
    client: float
    ahead: int


def run(scale: Scale) -> Result:
    """Stall each kind of stream once, in new processes."""
    table = Table(
        "A reader that stalls",
        ["stream of", "window", "server, MiB", "client, MiB", "values ahead"],
        "The increase of each process's peak resident memory (VmHWM) over what a short stream of "
        "the same values left behind, same host. The reader takes one value and waits until the "
        "task is blocked. With a window of 0, the task waits for each value to be taken: what "
        "remains is what any stream takes.",
    )
    result = Result([table])
    for values in (SMALL, ARRAYS):
        for reader in (BLOCKING, AIO):
            result.goals.append(looked(scale, table, values, reader))
    return result


def looked(scale: Scale, table: Table, values: str, reader: str) -> Goal:
    """Look at one kind of stream, with and without a window."""
    allowed = max(WINDOW, VALUE_BYTES[values]) / MIB
    goal = Goal(
        f"stalled reader of {values}, {reader}: memory of each side",
        f"≤ {allowed:g} MiB more than without a window",
    )
    found = {}
    for window in (0, WINDOW):
        name = f"{values}, {reader}"
        try:
            growth = apart(stalled, scale, values, reader, window)
        except Exception as error:
            table.fail(name, error)
            return goal
        found[window] = growth
        size = f"{window / MIB:g} MiB"
        table.add(name, size, f"{growth.server:.1f}", f"{growth.client:.1f}", f"{growth.ahead:,}")
    most, least = found[WINDOW], found[0]
    goal.measured = f"server + {most.server:.1f} MiB, client + {most.client:.1f} MiB"
    goal.floor = f"window of 0: server + {least.server:.1f} MiB, client + {least.client:.1f} MiB"
    more = max(most.server - least.server, most.client - least.client)
    goal.met = more <= allowed
    return goal


def stalled(scale: Scale, values: str, reader: str, window: int) -> Growth:
    """Start a server, stall, and look at it and at this process, which is its client."""
    with Workspace(scale.place(Placement.FREE)) as workspace, deadline(LIMIT_S):
        server = bgpy_server.start(workspace)
        with bgpy_server.same_host(server) as client:
            client.initialize(flow_tasks.init_task, flow_tasks.exec_task, flow_tasks.exit_task)
            client.call({"hold": array() if values == ARRAYS else DATA})
            look = read if reader == BLOCKING else read_aio
            growth = look(server, client, {"counted": COUNT[values]}, window)
            growth.ahead = client.call("sent") - 1
            return growth


def read(server: bgpy.Server, client: bgpy.Client, args: Any, window: int) -> Growth:
    """Stall with the blocking client."""
    for _value in client.stream({"counted": 3}, window=window):
        pass
    growth = watched(server)
    with client.stream(args, window=window) as stream:
        next(stream)
        wait_until_still(server)
        return growth()


def read_aio(server: bgpy.Server, _client: bgpy.Client, args: Any, window: int) -> Growth:
    """Stall with the client for asyncio, whose event loop goes on."""

    async def main() -> Growth:
        async with aio.Client(bgpy_server.HOST, server.port, server.token) as client:
            async for _value in client.stream({"counted": 3}, window=window):
                pass
            growth = watched(server)
            async with client.stream(args, window=window) as stream:
                await anext(stream)
                waiting = asyncio.to_thread(wait_until_still, server)
                await waiting
                return growth()

    return asyncio.run(main())


def watched(server: bgpy.Server) -> Callable[[], Growth]:
    """Begin to look at both processes; the result returns how much they grew since."""
    processes = Process(server.pid), Process(os.getpid())
    return lambda: Growth(*(process.above() * GB / MIB for process in processes), ahead=0)


def wait_until_still(server: bgpy.Server) -> None:
    """Return when the server has not worked for a while."""
    process = psutil.Process(server.pid)
    before, since = None, time.monotonic()
    while time.monotonic() - since < STILL_S:
        times = process.cpu_times()
        if times != before:
            before, since = times, time.monotonic()
        time.sleep(0.02)
