"""An array of 100 MB to another process, and from there, beside one copy of it in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ways
from result import MISSING, Goal, Result, Scale, Table
from ways.way import Act
from workspace import Placement

from .turns import Outcome, Turns, headline, take_turns

if TYPE_CHECKING:
    import numpy as np

ITEMS, ITEM_BYTES = 12_500_000, 8
BYTES = ITEMS * ITEM_BYTES
MEMCPY_MAX = 1.4
THROUGHPUT_MIN = 0.5
OURS = [
    ways.MEMCPY,
    ways.ONE_WAY_UNIX,
    ways.ONE_WAY_TCP,
    ways.OBJECTS_SAME_HOST,
    ways.OBJECTS_ENCRYPTED,
]
WORK = {Act.ARGUMENT: "as an argument", Act.RESPONSE: "as a response"}


def run(scale: Scale) -> Result:
    """Measure all ways in both directions; the slow ones in the full run only."""
    result = Result()
    names = [*OURS, *(ways.OBJECT_PEERS_FAST if scale.quick else ways.OBJECT_PEERS)]
    for act in WORK:
        rounds, calls = scale.pick(5, 2), scale.pick(2, 1)
        turns = Turns(array, 1, rounds, calls, scale.pick(1, 0), act=act)
        outcomes = take_turns(names, turns, scale.place(Placement.FREE))
        result.tables.append(table(turns, outcomes))
        result.goals += goals(act, outcomes)
        work = f"NumPy array of 100 MB {WORK[act]}"
        row = headline(work, outcomes, OURS[-2:], ways.ONE_WAY_TCP)
        result.headlines.append(row)
    return result


def array() -> np.ndarray:
    """Return an array of noise."""
    import numpy as np

    return np.random.default_rng(1).random(ITEMS)


def table(turns: Turns, outcomes: dict[str, Outcome]) -> Table:
    """Return the table of a direction."""
    table = Table(
        f"NumPy array of 100 MB {WORK[turns.act]}",
        ["way of calling", "median, ms", "rounds, ms", "GB/s", "x memcpy", "x raw TCP"],
        f"12,500,000 float64 in one direction, a few bytes in the other: {turns}, taking turns. "
        "The receiver does not use the numbers, so memory that both processes share is not read. "
        "The raw sockets and memcpy fill the same memory every time, which is the minimum of work; "
        "tools that create a new array also cause the system to clear new memory.",
    )
    for outcome in outcomes.values():
        if outcome.failure:
            table.fail(outcome.title, outcome.failure)
            continue
        median = outcome.rounds.median
        ratios = (outcome.ratio(outcomes[name]) for name in (ways.MEMCPY, ways.ONE_WAY_TCP))
        table.add(
            outcome.title,
            f"{median / 1e6:,.1f}",
            outcome.rounds.spread(1e6, 1),
            f"{BYTES / median:.2f}",
            *(f"{times:,.2f}" if times else MISSING for times in ratios),
        )
    return table


def goals(act: Act, outcomes: dict[str, Outcome]) -> list[Goal]:
    """Return whether the goals of a direction are reached."""
    work = f"array of 100 MB {WORK[act]}"
    near = Goal(f"{work}, same host", f"≤ {MEMCPY_MAX:g} x one memcpy")
    memcpy, unix = outcomes[ways.MEMCPY], outcomes[ways.ONE_WAY_UNIX]
    if times := outcomes[ways.OBJECTS_SAME_HOST].ratio(memcpy):
        near.measured, near.met = f"{times:.2f} x", times <= MEMCPY_MAX
        near.floor = f"one memcpy: {memcpy.rounds.median / 1e6:.1f} ms"
        if raw := unix.ratio(memcpy):
            near.floor += f"; raw Python Unix: {raw:.2f} x"
    far = Goal(f"{work}, TCP encrypted", f"≥ {THROUGHPUT_MIN:g} x the GB/s of raw Python TCP")
    base = outcomes[ways.ONE_WAY_TCP]
    if times := outcomes[ways.OBJECTS_ENCRYPTED].ratio(base):
        far.measured, far.met = f"{1 / times:.2f} x", 1 / times >= THROUGHPUT_MIN
        far.floor = f"raw Python TCP: {BYTES / base.rounds.median:.2f} GB/s"
    return [near, far]
