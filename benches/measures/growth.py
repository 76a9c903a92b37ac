"""Whether calls stay as fast as they were: after many of them, and with a large state."""

from __future__ import annotations

import statistics
from array import array

import psutil

import echo_tasks
import ways
from result import Goal, Result, Scale, Table
from ways.way import Way
from workspace import Placement, Workspace

from .turns import Turns, take_turns

DATA = b"x" * 64
TENTHS = 10
CHUNK = 1000
# The raw echo gets a tenth of the calls: enough to tell the machine's noise from growth.
RAW_CHUNK = 100
WARM_UP = 100
GROWTH_MAX = 1.1
SPARE_BYTES = 1 << 30


def run(scale: Scale) -> Result:
    """Measure both."""
    result = Result()
    many_calls(scale, result)
    large_state(scale, result)
    return result


def many_calls(scale: Scale, result: Result) -> None:
    """Call one server very often, with a raw echo in between."""
    calls = scale.pick(1_000_000, 20_000)
    with Workspace(scale.place(Placement.ONE)) as workspace:
        names = ways.SAME_HOST, ways.BASE
        ours, raw = (opened(name, workspace) for name in names)
        tenths = [(array("q"), array("q")) for _ in range(TENTHS)]
        for mine, others in tenths:
            for _ in range(calls // TENTHS // CHUNK):
                mine.extend(ours.times(DATA, CHUNK))
                others.extend(raw.times(DATA, RAW_CHUNK))
        ours.close()
        raw.close()
    table = Table(
        f"Latency over {calls:,} calls of one client",
        ["calls", "bgpy, µs", "x first tenth", "raw TCP echo, µs", "bgpy x raw"],
        "Medians of each tenth, with caller and servers on one CPU. A raw TCP echo runs in "
        "between: noise of the machine shows in both columns, growth only in one.",
    )
    medians = [(statistics.median(mine), statistics.median(others)) for mine, others in tenths]
    first = medians[0][0]
    for number, (mine, other) in enumerate(medians, 1):
        table.add(
            f"tenth {number}",
            f"{mine / 1e3:.1f}",
            f"{mine / first:.2f}",
            f"{other / 1e3:.1f}",
            f"{mine / other:.2f}",
        )
    highest = max(mine for mine, _ in medians) / first
    noise = max(other for _, other in medians) / medians[0][1]
    last = medians[-1][0] / first
    result.tables.append(table)
    result.goals.append(
        Goal(
            f"latency flat in the number of calls ({calls:,})",
            f"every tenth ≤ {GROWTH_MAX:g} x the first",
            f"last {last:.2f} x, highest {highest:.2f} x",
            highest <= GROWTH_MAX,
            f"raw Python TCP echo: highest {noise:.2f} x",
        )
    )


def large_state(scale: Scale, result: Result) -> None:
    """Call two servers in turn: one with a small state, one with a large one."""
    turns = Turns(DATA, scale.pick(7, 2), scale.pick(5, 3), scale.pick(1000, 300), WARM_UP)
    table = Table(
        "Latency with a large state",
        ["state", "median, µs", "rounds, µs", "x small state"],
        "The state holds a bytearray of 1 GiB, completely written. Caller and servers share one "
        f"CPU. The servers take turns: {turns}.",
    )
    work = "latency flat in the size of the state (1 GiB)"
    goal = Goal(work, f"≤ {GROWTH_MAX:g} x with a small state")
    result.tables.append(table)
    result.goals.append(goal)
    available = psutil.virtual_memory().available
    if available < echo_tasks.LARGE_BYTES + SPARE_BYTES:
        table.fail("1 GiB", f"only {available >> 20} MiB of memory are free")
        return
    names = [ways.SAME_HOST, ways.LARGE_STATE]
    small, large = take_turns(names, turns, scale.place(Placement.ONE)).values()
    for outcome in (small, large):
        if outcome.failure:
            table.fail(outcome.title, outcome.failure)
            return
        rounds = outcome.rounds
        cells = f"{rounds.median / 1e3:.1f}", rounds.spread(1e3, 1)
        table.add(outcome.title, *cells, f"{rounds.median / small.rounds.median:.2f}")
    ratio = large.rounds.median / small.rounds.median
    goal.measured, goal.met = f"{ratio:.2f} x", ratio <= GROWTH_MAX


def opened(name: str, workspace: Workspace) -> Way:
    """Return a way that is ready."""
    way = ways.load(name)(workspace)
    way.open()
    way.times(DATA, WARM_UP)
    return way
