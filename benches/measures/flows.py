"""Tables and ratios of ways that take turns with many values in flight."""

from __future__ import annotations

import functools

import ways
from beside_ray import measured
from result import MISSING, Goal, Scale, Table

from .turns import Outcome

Outcomes = dict[str, Outcome]


def fill(table: Table, outcomes: Outcomes, floor: str) -> Table:
    """Add a row for each way: its time for a value, values a second, and the ratio to a floor."""
    for outcome in outcomes.values():
        if outcome.failure:
            table.fail(outcome.title, outcome.failure)
            continue
        ratio = outcome.ratio(outcomes[floor])
        table.add(
            outcome.title,
            f"{outcome.rounds.median / 1e3:,.2f}",
            outcome.rounds.spread(1e3, 2),
            f"{a_second(outcome):,.0f}",
            f"{ratio:,.2f}" if ratio else MISSING,
        )
    return table


def head(what: str, floor: str) -> list[str]:
    """Return the head of such a table."""
    return ["way of calling", "median, µs", "rounds, µs", f"{what} a second", f"x {floor}"]


def a_second(outcome: Outcome) -> float:
    """Return how many values there are in a second."""
    return 1e9 / outcome.rounds.median


def rate_goal(work: str, wanted: float, outcome: Outcome, floor: Outcome) -> Goal:
    """Return whether there are so many values in a second."""
    goal = Goal(work, f"≥ {wanted:,.0f} a second")
    if not outcome.failure:
        rate = a_second(outcome)
        goal.measured, goal.met = f"{rate:,.0f} a second", rate >= wanted
    if not floor.failure:
        goal.floor = f"{floor.title}: {a_second(floor):,.0f} a second"
    return goal


def lead_goal(work: str, wanted: float, ours: str, runs: list[Outcomes]) -> Goal:
    """Return whether bgpy is so many times as fast as the fastest peer of any run."""
    goal = Goal(work, f"≥ {wanted:g} x as many as every other tool")
    leads = [
        (lead, outcome.title)
        for outcomes in runs
        for name, outcome in outcomes.items()
        if name in {*ways.FLOW_PEERS, *ways.FLOW_OBJECT_PEERS, ways.FLOW_RAY}
        and (lead := outcome.ratio(outcomes[ours]))
    ]
    if leads:
        lead, title = min(leads)
        goal.measured, goal.met = f"{lead:.1f} x {title}", lead >= wanted
    return goal


def with_ray(module: str, scale: Scale, table: Table, work: str, floor: str) -> Outcomes:
    """Measure one work of a module beside Ray, and fill its table, if only with the reason."""
    try:
        outcomes = measured_once(module, scale)[work]
    except (OSError, RuntimeError) as error:
        table.fail("Ray", error)
        return {}
    fill(table, outcomes, floor)
    return outcomes


# A module's works share one start of Ray.
measured_once = functools.cache(measured)
