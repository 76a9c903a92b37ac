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
# Long enough for the task to wait where it is meant to.
PAUSE_S = 0.002
LIMIT_S = 120.0


@dataclass
class Times:
    """The times of one kind of wait, in nanoseconds."""

    seen: list[int] = field(default_factory=list)
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

    def cancel(self, wait: str) -> tuple[int, int]:
        """Return how long it took until the task was interrupted, and until `cancel` returned."""
        call = self.client.begin({"wait": wait, "gate": self.path})
        os.read(self.gate, 1)
        time.sleep(PAUSE_S)
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
                seen, returned = task.cancel(wait)
                found.seen.append(seen)
                found.returned.append(returned)
                found.signalled.append(bare.interrupt(wait))
    return Result([table(count, place, times)], [goal(times)])


def table(count: int, place: Placement, times: dict[str, Times]) -> Table:
    """Return the table."""
    table = Table(
        f"Cancelling a running call, {place}",
        ["the task is in", "median, ms", "99 %, ms", "`cancel` returns, ms", "bare signal, ms"],
        f"{count} calls each, same host, one after the other. From the call of `cancel` to the "
        "exception in the task, and until `cancel` returns; beside it, from `kill` to the "
        "exception in a bare Python process with a signal handler.",
    )
    for wait, found in times.items():
        table.add(
            wait,
            f"{statistics.median(found.seen) / MS:.3f}",
            f"{statistics.quantiles(found.seen, n=100)[98] / MS:.3f}",
            f"{statistics.median(found.returned) / MS:.3f}",
            f"{statistics.median(found.signalled) / MS:.3f}",
        )
    return table


def goal(times: dict[str, Times]) -> Goal:
    """Return whether every kind of wait is interrupted in time."""
    medians = {wait: statistics.median(found.seen) / MS for wait, found in times.items()}
    floors = [statistics.median(found.signalled) / MS for found in times.values()]
    return Goal(
        f"cancel until the task sees it, in {', '.join(medians)}",
        f"≤ {MEDIAN_MS_MAX:g} ms (median)",
        ", ".join(f"{median:.2f}" for median in medians.values()) + " ms",
        max(medians.values()) <= MEDIAN_MS_MAX,
        f"bare signal: {', '.join(f'{floor:.2f}' for floor in floors)} ms",
    )
