"""Small calls in flight at once, by bgpy and by its peers; the first value of a stream."""

from __future__ import annotations

from dataclasses import replace

import ways
from result import MISSING, Goal, Result, Scale, Table
from ways.way import Act
from workspace import Placement

from .flows import fill, head, lead_goal, rate_goal, with_ray
from .turns import Outcome, Turns, headline, take_turns

DATA = b"x" * 64
AIO_A_SECOND, THREAD_A_SECOND, LEAD = 150_000, 250_000, 5
FIRST_MAX = 1.2
OURS = [
    ways.FLOW_AIO,
    ways.FLOW_AIO_GATHER,
    ways.FLOW_BLOCKING,
    ways.FLOW_AIO_ENCRYPTED,
    ways.FLOW_ENCRYPTED,
]
WAYS = [ways.FLOW_FLOOR, ways.FLOW_FUTURES, ways.FLOW_TASKS, *OURS, *ways.FLOW_PEERS]
BESIDE_RAY = [ways.FLOW_FLOOR, ways.FLOW_AIO, ways.FLOW_BLOCKING, ways.FLOW_RAY]
CALL, AIO_CALL = "ways.bgpy_first:Call", "ways.bgpy_first:AioCall"
FIRST = [
    "ways.bgpy_first:First",
    "ways.bgpy_first:FirstOfMany",
    "ways.bgpy_first:FirstThenCompute",
    "ways.bgpy_first:AioFirst",
]
SECOND = "ways.bgpy_first:SecondThenCompute"
# The small call of the same client.
BASES = {AIO_CALL: AIO_CALL, "ways.bgpy_first:AioFirst": AIO_CALL}
WORK = "small calls in flight, Python to Python"


def run(scale: Scale) -> Result:
    """Measure both."""
    result = Result()
    pipelined(scale, result)
    first_values(scale, result)
    return result


def in_flight(scale: Scale) -> Turns:
    """Return how the ways take turns."""
    laps, rounds, calls = scale.pick(3, 1), scale.pick(5, 3), scale.pick(10_000, 1_000)
    return Turns(DATA, laps, rounds, calls, scale.pick(1_000, 100), act=Act.PIPELINE)


def beside_ray(scale: Scale) -> dict[str, tuple[list[str], Turns]]:
    """Return the ways to be measured beside Ray, and how they take turns."""
    return {WORK: (BESIDE_RAY, replace(in_flight(scale), laps=1))}


def pipelined(scale: Scale, result: Result) -> None:
    """Measure calls in flight."""
    turns, place = in_flight(scale), scale.place(Placement.FREE)
    outcomes = take_turns(WAYS, turns, place)
    table = Table(
        f"Small calls in flight, {place}",
        head("calls", "raw asyncio"),
        f"{len(DATA)} bytes to another process and back, {turns.calls:,} calls in flight at once: "
        f"{turns}. The time of all, divided by their number. The blocking client uses `begin`, "
        "bgpy.aio uses `begin` or awaits `call` in `asyncio.gather`; RPyC uses `async_` with 100 "
        "calls in flight, because more block for ever; Pyro5 has no calls in flight and sends one "
        "batch, whose results come all together.",
    )
    result.tables.append(fill(table, outcomes, ways.FLOW_FLOOR))
    table = Table(
        "Small calls in flight, beside Ray",
        head("calls", "raw asyncio"),
        "As above, in a namespace whose only network is loopback; Ray with at most 2,000 calls.",
    )
    ray = with_ray(__name__, scale, table, WORK, ways.FLOW_FLOOR)
    result.tables.append(table)
    for name, wanted, how, floor in [
        (ways.FLOW_AIO, AIO_A_SECOND, "asyncio client, begin", ways.FLOW_FUTURES),
        (ways.FLOW_AIO_GATHER, AIO_A_SECOND, "asyncio client, call in gather", ways.FLOW_TASKS),
        (ways.FLOW_BLOCKING, THREAD_A_SECOND, "begin from a thread", ways.FLOW_FLOOR),
    ]:
        goal = rate_goal(f"{WORK}, {how}", wanted, outcomes[name], outcomes[floor])
        result.goals.append(goal)
    work = f"{WORK}, asyncio client, begin"
    result.goals.append(lead_goal(work, LEAD, ways.FLOW_AIO, [outcomes, ray]))
    work = f"{len(DATA)} bytes and back, {turns.calls:,} calls in flight, asyncio"
    ours = [ways.FLOW_AIO, ways.FLOW_AIO_ENCRYPTED]
    result.headlines.append(headline(work, outcomes, ours, ways.FLOW_FLOOR))


def first_values(scale: Scale, result: Result) -> None:
    """Measure the first value of a stream against a small call."""
    laps, rounds, calls = scale.pick(5, 1), scale.pick(5, 3), scale.pick(300, 50)
    turns = Turns(DATA, laps, rounds, calls, scale.pick(30, 5))
    outcomes = take_turns([CALL, AIO_CALL, *FIRST, SECOND], turns, scale.place(Placement.FREE))
    table = Table(
        "First value of a stream",
        ["what", "median, µs", "rounds, µs", "x call of the same client"],
        f"{len(DATA)} bytes, same host: {turns}. From the beginning of the call to its first "
        "value; the clock stands while the rest of the stream is read.",
    )
    goal = Goal("first value of a stream, same host", f"≤ {FIRST_MAX:g} x a small call")
    ratios = {}
    for name, outcome in outcomes.items():
        if outcome.failure:
            table.fail(outcome.title, outcome.failure)
            continue
        ratio = outcome.ratio(outcomes[BASES.get(name, CALL)])
        text = f"{ratio:.2f}" if ratio else MISSING
        table.add(
            outcome.title,
            f"{outcome.rounds.median / 1e3:,.1f}",
            outcome.rounds.spread(1e3, 1),
            text,
        )
        if name in FIRST and ratio:
            ratios[outcome.title.removeprefix("bgpy, ")] = ratio
    goal.floor = floor_text(outcomes[CALL])
    if len(ratios) == len(FIRST):
        goal.measured = "; ".join(f"{title}: {ratio:.2f} x" for title, ratio in ratios.items())
        goal.met = max(ratios.values()) <= FIRST_MAX
    result.tables.append(table)
    result.goals.append(goal)


def floor_text(call: Outcome) -> str:
    """Return what a small call takes."""
    return MISSING if call.failure else f"{call.title}: {call.rounds.median / 1e3:.1f} µs"
