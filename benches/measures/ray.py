"""An array of 100 MB by bgpy and by Ray, beside one memcpy, in a network of its own."""

from __future__ import annotations

import ways
from beside_ray import measured
from result import MISSING, Goal, Result, Scale, Table
from ways.way import Act

from .large import BYTES, WORK, array
from .turns import Outcome, Turns

ACTOR, PUT = "ways.ray_calls:Actor", "ways.ray_calls:Put"
WAYS = {
    Act.ARGUMENT: [ways.MEMCPY, ways.OBJECTS_SAME_HOST, ACTOR, PUT],
    Act.RESPONSE: [ways.MEMCPY, ways.OBJECTS_SAME_HOST, ACTOR],
}


def run(scale: Scale) -> Result:
    """Measure both directions; without Ray, say so."""
    result = Result()
    try:
        outcomes = measured(__name__, scale)
    except (OSError, RuntimeError) as error:
        outcomes = {}
        table = head(WORK[Act.ARGUMENT])
        table.fail("Ray", error)
        result.tables.append(table)
    else:
        result.tables += [filled(act, outcomes[act]) for act in WAYS]
    result.goals += [goal(act, outcomes.get(act, {})) for act in WAYS]
    return result


def beside_ray(scale: Scale) -> dict[str, tuple[list[str], Turns]]:
    """Return the ways of both directions and how they take turns."""
    rounds, calls = scale.pick(7, 2), scale.pick(3, 1)
    return {act: (names, Turns(array, 1, rounds, calls, 1, act=act)) for act, names in WAYS.items()}


def head(direction: str) -> Table:
    """Return the table of a direction without its rows."""
    return Table(
        f"NumPy array of 100 MB {direction}, beside Ray",
        ["way of calling", "median, ms", "rounds, ms", "GB/s", "x memcpy"],
        "As above, in a namespace whose only network is loopback, with Ray's head, an object store "
        "of 2 GB and an actor for each row. The receiver does not use the numbers, and Ray keeps "
        "them in memory that both processes share.",
    )


def filled(act: Act, outcomes: dict[str, Outcome]) -> Table:
    """Return the table of a direction."""
    table = head(WORK[act])
    for outcome in outcomes.values():
        if outcome.failure:
            table.fail(outcome.title, outcome.failure)
            continue
        median, ratio = outcome.rounds.median, outcome.ratio(outcomes[ways.MEMCPY])
        table.add(
            outcome.title,
            f"{median / 1e6:,.1f}",
            outcome.rounds.spread(1e6, 1),
            f"{BYTES / median:.2f}",
            f"{ratio:,.2f}" if ratio else MISSING,
        )
    return table


def goal(act: Act, outcomes: dict[str, Outcome]) -> Goal:
    """Return whether bgpy is ahead of Ray's faster way."""
    goal = Goal(f"array of 100 MB {WORK[act]}, same host", "ahead of Ray")
    found = {name: outcome for name, outcome in outcomes.items() if not outcome.failure}
    rays = [found[name] for name in (ACTOR, PUT) if name in found]
    if rays and ways.OBJECTS_SAME_HOST in found:
        best = min(rays, key=lambda ray: ray.rounds.median)
        ratio = found[ways.OBJECTS_SAME_HOST].ratio(best)
        goal.measured, goal.met = f"{ratio:.2f} x {best.title}", ratio < 1
        if least := best.ratio(outcomes[ways.MEMCPY]):
            goal.floor = f"{best.title}: {least:.2f} x one memcpy"
    return goal
