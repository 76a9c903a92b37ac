"""Streams of small values and of arrays, by bgpy and by its peers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import ways
from result import Goal, Result, Scale, Table
from ways.way import Act
from workspace import Placement

from .flows import fill, head, lead_goal, rate_goal, with_ray
from .turns import Outcome, Turns, headline, take_turns

if TYPE_CHECKING:
    import numpy as np

DATA = b"x" * 64
ITEMS, ITEM_BYTES = 125_000, 8
A_SECOND, MEMCPY_MAX = 500_000, 1.4
MEMCPY = "ways.raw_flows:Memcpy"
OURS = [ways.FLOW_BLOCKING, ways.FLOW_AIO, ways.FLOW_ENCRYPTED, ways.FLOW_AIO_ENCRYPTED]
SMALL = [ways.FLOW_FLOOR, ways.FLOW_SOCKETS, *OURS, *ways.FLOW_PEERS]
ARRAYS = [MEMCPY, ways.FLOW_SOCKETS, *OURS, *ways.FLOW_OBJECT_PEERS]
SMALL_WORK, ARRAYS_WORK = "stream of small values", "stream of arrays of 1 MB"


def run(scale: Scale) -> Result:
    """Measure both kinds of values, and both again beside Ray."""
    result = Result()
    small(scale, result)
    arrays(scale, result)
    return result


def array() -> np.ndarray:
    """Return an array of noise."""
    import numpy as np

    return np.random.default_rng(1).random(ITEMS)


def small_turns(scale: Scale) -> Turns:
    """Return how the ways take turns with small values."""
    laps, rounds, values = scale.pick(3, 1), scale.pick(5, 3), scale.pick(20_000, 2_000)
    return Turns(DATA, laps, rounds, values, scale.pick(1_000, 100), act=Act.STREAM)


def array_turns(scale: Scale) -> Turns:
    """Return how the ways take turns with arrays."""
    laps, rounds, values = scale.pick(3, 1), scale.pick(5, 3), scale.pick(300, 50)
    return Turns(array, laps, rounds, values, scale.pick(20, 5), act=Act.STREAM)


def beside_ray(scale: Scale) -> dict[str, tuple[list[str], Turns]]:
    """Return the ways to be measured beside Ray, and how they take turns."""
    ours = [ways.FLOW_BLOCKING, ways.FLOW_AIO, ways.FLOW_RAY]
    return {
        SMALL_WORK: ([ways.FLOW_FLOOR, *ours], replace(small_turns(scale), laps=1)),
        ARRAYS_WORK: ([MEMCPY, *ours], replace(array_turns(scale), laps=1)),
    }


def small(scale: Scale, result: Result) -> None:
    """Measure small values."""
    turns, place = small_turns(scale), scale.place(Placement.FREE)
    outcomes = take_turns(SMALL, turns, place)
    table = Table(
        f"Stream of small values, {place}",
        head("values", "raw asyncio"),
        f"{len(DATA)} bytes from another process, {turns.calls:,} times in response to one call: "
        f"{turns}. The time of all, divided by their number. Pyro5 asks for each value of a "
        "generator, RPyC for up to 1,000 (`buffiter`); ZeroMQ and the raw sockets have no limit "
        "on what waits for a slow reader.",
    )
    result.tables.append(fill(table, outcomes, ways.FLOW_FLOOR))
    table = Table(
        "Stream of small values, beside Ray",
        head("values", "raw asyncio"),
        "As above, in a namespace whose only network is loopback. Ray yields references, each of "
        "which is then fetched; at most 2,000.",
    )
    ray = with_ray(__name__, scale, table, SMALL_WORK, ways.FLOW_FLOOR)
    result.tables.append(table)
    work, floor = f"{SMALL_WORK}, same host", outcomes[ways.FLOW_FLOOR]
    for name, how in [(ways.FLOW_BLOCKING, "blocking client"), (ways.FLOW_AIO, "asyncio client")]:
        result.goals.append(rate_goal(f"{work}, {how}", A_SECOND, outcomes[name], floor))
    result.goals.append(
        lead_goal(f"{work}, blocking client", 1, ways.FLOW_BLOCKING, [outcomes, ray])
    )
    ours = [ways.FLOW_BLOCKING, ways.FLOW_ENCRYPTED]
    result.headlines.append(headline(SMALL_WORK, outcomes, ours, ways.FLOW_FLOOR))


def arrays(scale: Scale, result: Result) -> None:
    """Measure arrays."""
    turns, place = array_turns(scale), scale.place(Placement.FREE)
    outcomes = take_turns(ARRAYS, turns, place)
    table = Table(
        f"Stream of arrays of 1 MB, {place}",
        head("arrays", "memcpy"),
        f"125,000 float64, {turns.calls} times in response to one call: {turns}. The reader does "
        "not use the numbers, so memory that both processes share is not read. The raw sockets "
        "and memcpy fill the same memory every time.",
    )
    result.tables.append(fill(table, outcomes, MEMCPY))
    table = Table(
        "Stream of arrays of 1 MB, beside Ray",
        head("arrays", "memcpy"),
        "As above, in a namespace whose only network is loopback.",
    )
    ray = with_ray(__name__, scale, table, ARRAYS_WORK, MEMCPY)
    result.tables.append(table)
    work = f"{ARRAYS_WORK}, same host"
    for name, how in [(ways.FLOW_BLOCKING, "blocking client"), (ways.FLOW_AIO, "asyncio client")]:
        result.goals.append(memcpy_goal(f"{work}, {how}", outcomes, name))
    result.goals.append(
        lead_goal(f"{work}, blocking client", 1, ways.FLOW_BLOCKING, [outcomes, ray])
    )
    ours = [ways.FLOW_BLOCKING, ways.FLOW_ENCRYPTED]
    result.headlines.append(headline(ARRAYS_WORK, outcomes, ours, MEMCPY))


def memcpy_goal(work: str, outcomes: dict[str, Outcome], name: str) -> Goal:
    """Return whether an array takes little more than one copy of it."""
    goal = Goal(work, f"≤ {MEMCPY_MAX:g} x one memcpy each")
    memcpy, sockets = outcomes[MEMCPY], outcomes[ways.FLOW_SOCKETS]
    if ratio := outcomes[name].ratio(memcpy):
        goal.measured, goal.met = f"{ratio:.2f} x", ratio <= MEMCPY_MAX
        goal.floor = f"one memcpy: {memcpy.rounds.median / 1e3:.0f} µs"
        if raw := sockets.ratio(memcpy):
            goal.floor += f"; raw Python Unix: {raw:.2f} x"
    return goal
