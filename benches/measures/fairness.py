"""How long another client waits while one sends large arrays over and over."""

from __future__ import annotations

import contextlib
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from time import perf_counter_ns

import bgpy
import bgpy_server
import shelf_tasks
from result import Goal, Result, Scale, Table
from workspace import Placement, Workspace, apart

ITEMS = 125_000_000
MORE_MS_MAX = 5.0
# Another client comes so often.
PERIOD_NS = 2_000_000
READY_S = 60.0
QUIET, UNIX, TCP = "nothing", "same host", "TCP encrypted"
WORK = {"small call": lambda client: client.call(SMALL), "status": lambda client: client.status()}
SMALL = {"work": "size", "thing": b"x" * 64}


@dataclass
class Waits:
    """Percentiles of how long somebody waited, in milliseconds."""

    p50: float
    p99: float
    most: float


def run(scale: Scale) -> Result:
    """Look at a quiet server and at one with each kind of upload."""
    length_s = scale.pick(10, 1)
    table = Table(
        "Another client while one sends arrays of 1 GB",
        ["work, beside uploads by", "p50, ms", "p99, ms", "max, ms", "uploads"],
        "A client repeatedly sends a NumPy array of 1 GB as an argument. Another client on the "
        f"same host makes a small call every {PERIOD_NS / 1e6:g} ms for {length_s} s, then "
        "`status` requests for as long. Calls that would have started during a wait count with the "
        "rest of that wait, so p99 covers all moments. Three processes share the CPUs.",
    )
    seen = {}
    for kind in (QUIET, UNIX, TCP):
        try:
            seen[kind], uploads = apart(looked, scale, kind, length_s)
        except Exception as error:
            table.fail(f"beside {kind}", error)
            continue
        for work, waits in seen[kind].items():
            cells = (f"{wait:.2f}" for wait in (waits.p50, waits.p99, waits.most))
            table.add(f"{work}, {kind}", *cells, str(uploads))
    return Result([table], [goal(work, seen) for work in WORK])


def goal(work: str, seen: dict[str, dict[str, Waits]]) -> Goal:
    """Return whether a kind of work is held up."""
    goal = Goal(
        f"{work} while another client sends arrays of 1 GB",
        f"p99 ≤ that of a quiet server + {MORE_MS_MAX:g} ms",
    )
    busy = {kind: seen[kind][work] for kind in (UNIX, TCP) if kind in seen}
    if QUIET not in seen or not busy:
        return goal
    quiet = seen[QUIET][work]
    more = {kind: waits.p99 - quiet.p99 for kind, waits in busy.items()}
    goal.measured = ", ".join(
        f"{kind} + {more[kind]:.1f} ms (max {waits.most:.0f} ms)" for kind, waits in busy.items()
    )
    if len(busy) == len((UNIX, TCP)):
        goal.met = max(more.values()) <= MORE_MS_MAX
    goal.floor = f"quiet: p99 {quiet.p99:.2f} ms, max {quiet.most:.1f} ms"
    return goal


def looked(scale: Scale, kind: str, length_s: int) -> tuple[dict[str, Waits], int]:
    """Return how long this process waits as the other client, and how many uploads there were."""
    with Workspace(scale.place(Placement.FREE)) as workspace:
        server = bgpy_server.start(workspace)
        with bgpy_server.same_host(server) as client:
            client.initialize(shelf_tasks.init_task, shelf_tasks.exec_task, shelf_tasks.exit_task)
            for work in WORK.values():
                times(client, work, 0.2)
            with uploading(workspace, server, kind) as count:
                waits = [times(client, work, length_s) for work in WORK.values()]
                uploads = count()
    percentiles = [statistics.quantiles(each, n=100) for each in waits]
    return {
        work: Waits(cuts[49] / 1e6, cuts[98] / 1e6, max(each) / 1e6)
        for work, cuts, each in zip(WORK, percentiles, waits, strict=True)
    }, uploads


def times(client: bgpy.Client, work: Callable[[bgpy.Client], object], length_s: float) -> list[int]:
    """Do a work again and again, and return how long it took in nanoseconds."""
    waits = []
    end = perf_counter_ns() + int(length_s * 1e9)
    while (start := perf_counter_ns()) < end:
        work(client)
        # Who would have come meanwhile would have waited for the rest of the time.
        waits += range(perf_counter_ns() - start, 0, -PERIOD_NS)
        time.sleep(PERIOD_NS / 1e9)
    return waits


@contextlib.contextmanager
def uploading(workspace: Workspace, server: bgpy.Server, kind: str) -> Iterator[Callable[[], int]]:
    """Have a process send arrays in here; what is given tells how many it has sent since."""
    if kind == QUIET:
        yield lambda: 0
        return
    context = multiprocessing.get_context("spawn")
    sent, ready = context.Value("Q", 0), context.Event()
    hidden = bgpy_server.out_of_sight(workspace) if kind == TCP else contextlib.nullcontext()
    with hidden:
        process = context.Process(
            target=upload, args=(server.port, server.token, sent, ready), daemon=True
        )
        process.start()
    try:
        if not ready.wait(READY_S):
            raise TimeoutError(f"nothing was sent within {READY_S:g} s")
        before = sent.value
        yield lambda: sent.value - before
        if not process.is_alive():
            raise RuntimeError("the process that sends arrays has ended")
    finally:
        process.kill()
        process.join()


def upload(port: int, token: str, sent: object, ready: Event) -> None:
    """Send arrays for ever."""
    import numpy as np

    array = np.ones(ITEMS)
    with bgpy.Client(bgpy_server.HOST, port, token) as client:
        while multiprocessing.parent_process().is_alive():
            client.call({"work": "size", "thing": array})
            sent.value += 1
            ready.set()
