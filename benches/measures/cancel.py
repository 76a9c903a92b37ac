"""How long it takes from cancelling a call to `Cancelled` in its task, beside a bare signal."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

import bgpy_server
import cancel_tasks
from result import Goal, Result, Scale, Table
from workspace import BENCHES, Placement, Workspace, deadline

MS = 1e6
MEDIAN_MS_MAX = 1.0
# Long enough for the task to wait where it is meant to, and for the server to see that it does.
PAUSE_S = 0.02
LIMIT_S = 120.0


@dataclass
class Times:
    """The times of one kind of wait, in nanoseconds."""

    seen: list[int] = field(default_factory=list)
    at_once: list[int] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    signalled: list[int] = field(default_factory=list)


class Task:
    """A server whose task waits, and a client that cancels it."""

    def __init__(self, workspace: Workspace) -> None:
        self.client = bgpy_server.same_host(bgpy_server.start(workspace))
        workspace.exits.callback(self.client.close)
        self.client.initialize(
            cancel_tasks.init_task, cancel_tasks.exec_task, cancel_tasks.exit_task
        )
        self.path = str(workspace.directory / "gate")
        os.mkfifo(self.path)
        # Both ends, so that neither side waits for the other to open it.
        self.gate = os.open(self.path, os.O_RDWR)
        workspace.exits.callback(os.close, self.gate)

    def cancel(self, wait: str, pause_s: float) -> tuple[int, int]:
        """Return how long it took until the task was interrupted, and until `cancel` returned."""
        call = self.client.begin({"wait": wait, "gate": self.path})
        os.read(self.gate, 1)
        if pause_s:
            time.sleep(pause_s)
        start = time.monotonic_ns()
        outcome = call.cancel()
        returned = time.monotonic_ns()
        if outcome != "cancelled":
            raise RuntimeError(f"cancelling {wait} had the outcome {outcome!r}")
        return self.client.call("seen") - start, returned - start


class Bare:
    """A process that waits, and is interrupted by a signal."""

    def __init__(self, workspace: Workspace) -> None:
        self.process: subprocess.Popen[str] = workspace.run(
            [sys.executable, BENCHES / "cancel_tasks.py"], stderr=subprocess.DEVNULL
        )

    def interrupt(self, wait: str) -> int:
        """Return how long it took until the wait was interrupted."""
        print(wait, file=self.process.stdin, flush=True)
        self.process.stdout.readline()
        time.sleep(PAUSE_S)
        start = time.monotonic_ns()
        self.process.send_signal(signal.SIGUSR1)
        return int(self.process.stdout.readline()) - start


def run(scale: Scale) -> Result:
    """Cancel each kind of wait in turn."""
    count, place = scale.pick(200, 30), scale.place(Placement.FREE)
    times = {wait: Times() for wait in cancel_tasks.WAITS}
    with Workspace(place) as workspace, deadline(LIMIT_S):
        task, bare = Task(workspace), Bare(workspace)
        for _ in range(count):
            for wait, found in times.items():
                seen, returned = task.cancel(wait, PAUSE_S)
                found.seen.append(seen)
                found.at_once.append(task.cancel(wait, 0)[0])
                found.returned.append(returned)
                found.signalled.append(bare.interrupt(wait))
    goals = [
        goal("cancel until the task sees it", {wait: one.seen for wait, one in times.items()}),
        goal("the same just after it began", {wait: one.at_once for wait, one in times.items()}),
    ]
    floors = ", ".join(median_ms(found.signalled) for found in times.values())
    for one in goals:
        one.floor = f"bare signal: {floors} ms"
    return Result([table(count, place, times)], goals)


def table(count: int, place: Placement, times: dict[str, Times]) -> Table:
    """Return the table."""
    table = Table(
        f"Cancelling a running call, {place}",
        [
            "the task is in",
            "median, ms",
            "99 %, ms",
            "just after it began, median, ms",
            "`cancel` returns, median, ms",
            "bare signal, median, ms",
        ],
        f"{count} calls each, same host, one after the other. From the call of `cancel` to the "
        f"exception in the task, which has waited for {PAUSE_S * 1e3:g} ms or has just begun, and "
        "until `cancel` returns; beside it, from `kill` to the exception in a bare Python process "
        "with a signal handler.",
    )
    for wait, found in times.items():
        table.add(
            wait,
            median_ms(found.seen),
            f"{statistics.quantiles(found.seen, n=100)[98] / MS:.2f}",
            median_ms(found.at_once),
            median_ms(found.returned),
            median_ms(found.signalled),
        )
    return table


def goal(work: str, times: dict[str, list[int]]) -> Goal:
    """Return whether every kind of wait is interrupted in time."""
    return Goal(
        f"{work}, in {', '.join(times)}",
        f"≤ {MEDIAN_MS_MAX:g} ms (median)",
        ", ".join(map(median_ms, times.values())) + " ms",
        max(map(statistics.median, times.values())) <= MEDIAN_MS_MAX * MS,
    )


def median_ms(times: list[int]) -> str:
    """Return the median in milliseconds."""
    return f"{statistics.median(times) / MS:.2f}"
