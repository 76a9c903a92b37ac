"""The start of a background server until it is ready, beside that of a bare interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from time import perf_counter_ns

import bgpy
import bgpy_server
from echo_tasks import exec_task, exit_task, init_task
from result import MISSING, Goal, Headline, Result, Rounds, Scale, Table, time_text, told
from ways.old_bgpy import OldClient
from workspace import Placement, Workspace

START_MAX = 4.0
INITIALIZED_MAX = 2.5
BARE = "python -c pass"
IMPORT = 'python -c "import bgpy"'
READY = "bgpy: Server.run_background()"
INITIALIZED = "bgpy: the same and Client.initialize()"
OLD = "bgpy 0.3.1: Server.run_background()"


def run(scale: Scale) -> Result:
    """Start everything in turn."""
    count = scale.pick(31, 7)
    rounds = {name: Rounds() for name in (BARE, IMPORT, READY, INITIALIZED)}
    with Workspace(scale.place(Placement.FREE)) as workspace:
        for _ in range(count):
            rounds[BARE].add([timed(lambda: python("pass", workspace))])
            rounds[IMPORT].add([timed(lambda: python("import bgpy", workspace))])
            rounds[READY].add([server(workspace, initialize=False)])
            rounds[INITIALIZED].add([server(workspace, initialize=True)])
        old = old_start(workspace, scale.pick(3, 1))
    table = Table(
        "Start of a background server until it is ready",
        ["what", "median, ms", "all, ms", f"x {BARE}"],
        f"{count} times in turn, with one interpreter. bgpy 0.3.1 sleeps for a second and returns, "
        "ready or not.",
    )
    base = rounds[BARE].median
    for name, times in rounds.items():
        median = times.median
        table.add(name, f"{median / 1e6:.1f}", times.spread(1e6, 1), f"{median / base:.2f}")
    if isinstance(old, Rounds):
        times = old.median
        table.add(OLD, f"{times / 1e6:,.1f}", old.spread(1e6, 1), f"{times / base:.2f}")
    else:
        table.fail(OLD, old)
    floor = f"`{IMPORT}`, and exit: {rounds[IMPORT].median / base:.2f} x"
    goals = []
    for name, what, most in (
        (READY, "until ready", START_MAX),
        (INITIALIZED, "until it has functions as its tasks", INITIALIZED_MAX),
    ):
        ratio = rounds[name].median / base
        goals.append(
            Goal(
                f"start of a background server {what}",
                f"≤ {most:g} x `{BARE}`",
                f"{ratio:.2f} x",
                ratio <= most,
                floor,
            )
        )
    floor = f"{time_text(base)} (`{BARE}`)"
    peer = f"{time_text(old.median)} (bgpy 0.3.1)" if isinstance(old, Rounds) else MISSING
    row = Headline("start of a server", time_text(rounds[READY].median), MISSING, peer, floor)
    return Result([table], goals, [row])


def timed(action: Callable[[], object]) -> int:
    """Return how long something takes in nanoseconds."""
    start = perf_counter_ns()
    action()
    return perf_counter_ns() - start


def python(program: str, workspace: Workspace) -> None:
    """Run a program in this interpreter, as another process."""
    with workspace.starting_servers():
        subprocess.run([sys.executable, "-c", program], check=True)


def server(workspace: Workspace, *, initialize: bool) -> int:
    """Return how long the start of a server takes, and end it."""
    server = bgpy.Server(bgpy_server.HOST, 0)
    try:
        with workspace.starting_servers():
            start = perf_counter_ns()
            server.run_background()
        if not initialize:
            return perf_counter_ns() - start
        with bgpy.Client(bgpy_server.HOST, server.port) as client:
            client.initialize(init_task, exec_task, exit_task)
            return perf_counter_ns() - start
    finally:
        bgpy_server.stop(server)


def old_start(workspace: Workspace, count: int) -> Rounds | str:
    """Return how long bgpy 0.3.1 takes, or why that is not known."""
    rounds = Rounds()
    try:
        for _ in range(count):
            client = OldClient(workspace)
            rounds.add([client.ask("start")])
            client.ask("terminate")
    except (OSError, RuntimeError) as error:
        return told(error)
    return rounds
