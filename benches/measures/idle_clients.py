"""What connected clients cost that do nothing: the server's memory, and the latency of another."""

from __future__ import annotations

import contextlib
import resource
import statistics
from dataclasses import dataclass
from time import perf_counter_ns

import psutil

import bgpy
import bgpy_server
from echo_tasks import exec_task, exit_task, init_task
from result import Goal, Result, Scale, Table
from workspace import Placement, Workspace, apart, deadline

UNIX, TCP = "Unix", "TCP encrypted"
DATA = b"x" * 64
EACH_KIB_MAX = 8.0
P99_MAX = 1.5
WARM_UP = 500
# Files that the server and this process need beside the connections.
SPARE_FILES = 200
LIMIT_S = 300.0

Percentiles = dict[int, float]


@dataclass
class Look:
    """What idle clients cost: KiB for each, and a busy one's latency without and with them."""

    each_kib: float
    alone: Percentiles
    among: Percentiles


def run(scale: Scale) -> Result:
    """Measure with clients of both kinds."""
    count = min(scale.pick(10_000, 2_000), more_files() - SPARE_FILES)
    laps = scale.pick(5, 1)
    table = Table(
        f"{count:,} idle clients of one server",
        ["connected by", "RSS each, KiB", "p50, µs", "p50 with", "p99, µs", "p99 with"],
        "What each connection adds to the server's RSS (which excludes kernel buffers), and the "
        "latency of a busy client on the same host, all on one CPU. A server without idle clients "
        f"and one with them take turns. Starts of all processes: {laps}.",
    )
    seen = {kind: looks(laps, scale, count, kind) for kind in (UNIX, TCP)}
    result = Result([table])
    for kind, look in seen.items():
        cells = [f"{side[p] / 1e3:.1f}" for p in (50, 99) for side in (look.alone, look.among)]
        table.add(kind, f"{look.each_kib:.1f}", *cells)
    each = ", ".join(f"{kind} {look.each_kib:.1f} KiB" for kind, look in seen.items())
    met = all(look.each_kib <= EACH_KIB_MAX for look in seen.values())
    work = f"{count:,} idle clients"
    wanted = f"≤ {EACH_KIB_MAX:g} KiB each"
    result.goals.append(Goal(f"{work}: memory", wanted, each, met))
    ratios = {kind: look.among[99] / look.alone[99] for kind, look in seen.items()}
    measured = ", ".join(f"{kind} {ratio:.2f} x" for kind, ratio in ratios.items())
    met = all(ratio <= P99_MAX for ratio in ratios.values())
    wanted = f"≤ {P99_MAX:g} x without them"
    result.goals.append(Goal(f"{work}: p99 of another client", wanted, measured, met))
    return result


def looks(laps: int, scale: Scale, count: int, kind: str) -> Look:
    """Look a few times, each in new processes, and return the medians."""
    seen = [apart(look, scale, count, kind) for _ in range(laps)]
    return Look(
        statistics.median(look.each_kib for look in seen),
        *(
            {p: statistics.median(getattr(look, side)[p] for look in seen) for p in (50, 99)}
            for side in ("alone", "among")
        ),
    )


def look(scale: Scale, count: int, kind: str) -> Look:
    """Connect idle clients, and look at the server."""
    more_files()
    with Workspace(scale.place(Placement.ONE)) as workspace, deadline(LIMIT_S):
        servers = [bgpy_server.start(workspace) for _ in range(2)]
        busy = [bgpy_server.same_host(server) for server in servers]
        for client in busy:
            client.initialize(init_task, exec_task, exit_task)
            times(client, WARM_UP)
        process = psutil.Process(servers[1].pid)
        before = process.memory_info().rss
        idle = connected(workspace, servers[1], count, kind)
        each_kib = (process.memory_info().rss - before) / count / 1024
        rounds = [], []
        for _ in range(scale.pick(7, 5)):
            for client, seen in zip(busy, rounds, strict=True):
                seen.append(statistics.quantiles(times(client, scale.pick(3000, 500)), n=100))
        for client in [*busy, *idle]:
            client.close()
    return Look(each_kib, *map(percentiles, rounds))


def more_files() -> int:
    """Have as many open files as this user may, which servers inherit, and return how many."""
    _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))
    return files_max


def connected(
    workspace: Workspace, server: bgpy.Server, count: int, kind: str
) -> list[bgpy.Client]:
    """Return so many clients that have a connection."""
    hidden = bgpy_server.out_of_sight(workspace) if kind == TCP else contextlib.nullcontext()
    with hidden:
        clients = [bgpy.Client(bgpy_server.HOST, server.port, server.token) for _ in range(count)]
        for client in clients:
            client.ping()
    found = bgpy_server.connections_tcp(server)
    if found != (count if kind == TCP else 0):
        raise RuntimeError(f"{found} connections of TCP, of {count} by {kind}")
    return clients


def times(client: bgpy.Client, count: int) -> list[int]:
    """Return how long so many calls take in nanoseconds."""
    times = []
    for _ in range(count):
        start = perf_counter_ns()
        client.call({"data": DATA})
        times.append(perf_counter_ns() - start)
    return times


def percentiles(rounds: list[list[float]]) -> Percentiles:
    """Return the medians of the rounds' p50 and p99, in nanoseconds."""
    return {p: statistics.median(cuts[p - 1] for cuts in rounds) for p in (50, 99)}
