"""Calling a method of an object, beside a call of a task and beside the proxies of others."""

from __future__ import annotations

import statistics
import time

import bgpy
import bgpy_server
import ways
from result import Goal, Result, Scale, Table
from workspace import Placement, Workspace

from .small import DATA, times
from .turns import Outcome, Turns, take_turns

RATIO_MAX = 1.1
PROXY_MS_MAX = 1.0
METHODS = 20
PAIRS = [
    (ways.METHOD_SAME_HOST, ways.SAME_HOST, "same host"),
    (ways.METHOD_ENCRYPTED, ways.ENCRYPTED, "TCP encrypted"),
]


def run(scale: Scale) -> Result:
    """Measure the calls at all places, and what a proxy costs."""
    turns = Turns(DATA, scale.pick(7, 1), scale.pick(5, 3), scale.pick(500, 100), 50)
    result = Result()
    for place in scale.places(Placement.FREE, Placement.ONE):
        names = [*(name for pair in PAIRS for name in pair[:2]), *ways.METHOD_PEERS]
        outcomes = take_turns(names, turns, place)
        result.tables.append(table(turns, place, outcomes))
        result.goals += goals(place, outcomes)
    proxies, goal = connecting(scale)
    result.tables.append(proxies)
    result.goals.append(goal)
    return result


def table(turns: Turns, place: Placement, outcomes: dict[str, Outcome]) -> Table:
    """Return the table of a place."""
    table = Table(
        f"Small call of a method, {place}",
        ["way of calling", "median, µs", "rounds, µs", "x call of a task"],
        f"{len(DATA)} bytes to another process and back: {turns}.",
    )
    for outcome in outcomes.values():
        if outcome.failure:
            table.fail(outcome.title, outcome.failure)
            continue
        rounds = outcome.rounds
        ratio = times(rounds, outcomes[ways.SAME_HOST])
        table.add(outcome.title, f"{rounds.median / 1e3:,.1f}", rounds.spread(1e3, 1), ratio)
    return table


def goals(place: Placement, outcomes: dict[str, Outcome]) -> list[Goal]:
    """Return whether a method costs little more than a task, and less than with others."""
    found = []
    for method, task, kind in PAIRS:
        goal = Goal(f"small call of a method, {kind}, {place}", f"≤ {RATIO_MAX:g} x of a task")
        ratio = outcomes[method].ratio(outcomes[task])
        if ratio is not None:
            goal.measured, goal.met = f"{ratio:.2f} x", ratio <= RATIO_MAX
        peers = [outcomes[name] for name in ways.METHOD_PEERS if not outcomes[name].failure]
        best = min(peers, key=lambda peer: peer.rounds.median, default=None)
        if best is not None and not outcomes[method].failure:
            factor = best.rounds.median / outcomes[method].rounds.median
            goal.floor = f"{best.title}: {factor:.1f} x as long"
        found.append(goal)
    return found


def connecting(scale: Scale) -> tuple[Table, Goal]:
    """Measure what a proxy adds to a connection."""
    methods = {f"method_{n}": _method for n in range(METHODS)}
    many = type("Many", (), methods)
    with Workspace(scale.place(Placement.FREE)) as workspace:
        server = bgpy_server.start(workspace)
        with bgpy_server.same_host(server) as client:
            bgpy_server.make(client, lambda: many())
            took = []
            for _ in range(scale.pick(500, 50)):
                start = time.perf_counter_ns()
                bgpy.connect(client, many)
                took.append((time.perf_counter_ns() - start) / 1e6)
    median = statistics.median(took)
    table = Table(
        "A proxy on an open connection",
        ["what", "median, ms", "from, to, ms"],
        f"A class with {METHODS} methods, which is compared with the server's.",
    )
    table.add("bgpy.connect(client, cls)", f"{median:.3f}", f"{min(took):.3f} to {max(took):.3f}")
    goal = Goal(
        f"a proxy of {METHODS} methods, beside the connection",
        f"≤ {PROXY_MS_MAX:g} ms",
        f"{median:.2f} ms",
        median <= PROXY_MS_MAX,
    )
    return table, goal


def _method(self: object, by: int = 1) -> int:
    """Return the argument."""
    return by
