"""The time of an array as an argument against its size."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import psutil

import ways
from result import MISSING, Goal, Result, Scale, Table
from ways.way import Act
from workspace import Placement

from .turns import Outcome, Turns, take_turns

if TYPE_CHECKING:
    import numpy as np

CHART = "benchmarks-sizes.svg"
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
WAYS = [ways.MEMCPY, ways.ONE_WAY_UNIX, ways.OBJECTS_SAME_HOST]
STRAIGHT_FROM = MIB
STRAIGHT_MAX = 2.0
# So much is sent in a round, by so many calls at most.
ROUND_BYTES, CALLS_MAX = 64 * MIB, 200
# The first messages of a size find no memory that is kept for them.
WARM_UP_LEAST = 3
# From this on the ways do not share the memory: one after the other instead of in turns.
ALONE_FROM = GIB
# The array, its message on both sides, and the array that arrives.
COPIES = 4

Sizes = dict[int, dict[str, Outcome]]


def run(scale: Scale) -> Result:
    """Measure all sizes."""
    sizes = [KIB * 4**power for power in range(0, scale.pick(12, 9), scale.pick(1, 2))]
    seen: Sizes = {size: measured(scale, size) for size in sizes}
    titles = [outcome.title for outcome in seen[sizes[0]].values()]
    table = Table(
        "Time of an array as an argument against its size",
        ["bytes", *(f"{title}, µs" for title in titles), "x memcpy", "x raw Unix"],
        f"![Time against size]({CHART})\n\nMedians, taking turns; from 1 GiB on, one after the "
        "other. Each array is sent to another process, which answers with a few bytes. memcpy and "
        "the raw socket fill the same memory every time; small arrays stay in the CPU's caches.",
    )
    for size, outcomes in seen.items():
        ours = outcomes[ways.OBJECTS_SAME_HOST]
        ratios = (ours.ratio(outcomes[name]) for name in (ways.MEMCPY, ways.ONE_WAY_UNIX))
        table.add(
            name(size),
            *(
                MISSING if outcome.failure else f"{outcome.rounds.median / 1e3:,.1f}"
                for outcome in outcomes.values()
            ),
            *(f"{ratio:,.2f}" if ratio else MISSING for ratio in ratios),
        )
    for size, outcomes in seen.items():
        for outcome in outcomes.values():
            if outcome.failure:
                table.fail(f"{name(size)}, {outcome.title}", outcome.failure)
    lines = {
        way: {
            size: outcomes[way].rounds.median / 1e3
            for size, outcomes in seen.items()
            if not outcomes[way].failure
        }
        for way in WAYS
    }
    result = Result([table], [goal(lines)])
    result.sizes_us = dict(zip(titles, lines.values(), strict=True))
    return result


def measured(scale: Scale, size: int) -> dict[str, Outcome]:
    """Measure one size."""
    available = psutil.virtual_memory().available
    if size >= ALONE_FROM and available < COPIES * size:
        failure = f"only {available // MIB:,} MiB of memory are free"
        return {way: Outcome(ways.load(way).title, failure=failure) for way in WAYS}
    calls = min(max(ROUND_BYTES // size, 1), CALLS_MAX)
    rounds = scale.pick(7 if size < ALONE_FROM else 3, 2)
    warm_up = max(-(-calls // 10), WARM_UP_LEAST)
    turns = Turns(partial(array, size), 1, rounds, calls, warm_up, act=Act.ARGUMENT)
    place = scale.place(Placement.FREE)
    if size < ALONE_FROM:
        return take_turns(WAYS, turns, place)
    return {way: take_turns([way], turns, place)[way] for way in WAYS}


def array(size: int) -> np.ndarray:
    """Return an array of so many bytes, all of them written to."""
    import numpy as np

    return np.full(size // 8, 0.5)


def name(size: int) -> str:
    """Return a size in the largest unit that it has whole."""
    units = (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")
    unit, word = next(unit for unit in units if size >= unit[0])
    return f"{size // unit} {word}"


def goal(lines: dict[str, dict[int, float]]) -> Goal:
    """Return whether the time grows as the size does."""
    ours, memcpy, raw = (
        uneven(lines[way]) for way in (ways.OBJECTS_SAME_HOST, ways.MEMCPY, ways.ONE_WAY_UNIX)
    )
    largest = max(lines[ways.OBJECTS_SAME_HOST], default=0)
    goal = Goal(
        f"time of an array against its size, {name(STRAIGHT_FROM)} to {name(largest or GIB)}",
        f"a straight line: fastest ≤ {STRAIGHT_MAX:g} x slowest GB/s",
    )
    if ours:
        goal.measured, goal.met = f"{ours:.2f} x", ours <= STRAIGHT_MAX
    if memcpy and raw:
        goal.floor = f"memcpy: {memcpy:.2f} x; raw Python Unix: {raw:.2f} x"
    return goal


def uneven(line: dict[int, float]) -> float | None:
    """Return the largest throughput by the smallest, of what is large enough."""
    speeds = [size / time for size, time in line.items() if size >= STRAIGHT_FROM]
    return max(speeds) / min(speeds) if speeds else None
