"""What a call of `bgpy.progress` takes, with and without somebody who looks."""

from __future__ import annotations

import statistics

import bgpy
import bgpy_server
import flow_tasks
from result import Goal, Result, Scale, Table
from workspace import Placement, Workspace

NS_MAX = 1_000
TEXT = "training"
OUTSIDE = "outside of a task"
NUMBERS = "in a task, numbers only"
ALONE = "in a task, with a text"
WATCHED = "in a task, with a text, the caller has on_progress"


def run(scale: Scale) -> Result:
    """Measure all, in turns."""
    rounds, count = scale.pick(7, 3), scale.pick(1_000_000, 100_000)
    times: dict[str, list[float]] = {name: [] for name in (OUTSIDE, NUMBERS, ALONE, WATCHED)}
    place = scale.place(Placement.FREE)
    with Workspace(place) as workspace:
        client = bgpy_server.same_host(bgpy_server.start(workspace))
        with client:
            client.initialize(flow_tasks.init_task, flow_tasks.exec_task, flow_tasks.exit_task)
            for _ in range(rounds):
                times[OUTSIDE].append(flow_tasks.progress_ns(count, TEXT))
                times[NUMBERS].append(ask(client, count, None))
                times[ALONE].append(ask(client, count, TEXT))
                times[WATCHED].append(ask(client, count, TEXT, on_progress=lambda _progress: None))
    table = Table(
        "`bgpy.progress`",
        ["where", "median, ns", "rounds, ns"],
        f"{rounds} rounds of {count:,} calls in a loop, whose own time is included.",
    )
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, found in times.items():
        table.add(name, f"{medians[name]:,.0f}", f"{min(found):,.0f} to {max(found):,.0f}")
    goal = Goal(
        "bgpy.progress in a task, when nobody looks",
        f"≤ {NS_MAX / 1e3:g} µs",
        f"{medians[ALONE]:,.0f} ns",
        medians[ALONE] <= NS_MAX,
        f"{OUTSIDE}: {medians[OUTSIDE]:,.0f} ns",
    )
    return Result([table], [goal])


def ask(client: bgpy.Client, count: int, text: str | None, **options: object) -> float:
    """Return how long a call of `bgpy.progress` takes in a task, in nanoseconds."""
    return client.call({"progress": count, "text": text}, **options)
