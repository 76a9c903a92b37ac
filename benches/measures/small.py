"""The small call: 64 bytes to another Python process and back, by bgpy and by its peers."""

from __future__ import annotations

from dataclasses import replace

import ways
from result import MISSING, Goal, Result, Rounds, Scale, Table
from workspace import Placement

from .turns import Outcome, Turns, headline, take_turns

DATA = b"x" * 64
OURS = [ways.SAME_HOST, ways.ENCRYPTED]
GOALS = [(ways.SAME_HOST, "same host", 0.8), (ways.ENCRYPTED, "TCP encrypted", 1.25)]


def run(scale: Scale) -> Result:
    """Measure all ways at all places."""
    turns = Turns(DATA, scale.pick(7, 1), scale.pick(5, 3), scale.pick(500, 100), 50)
    # Once is enough: it sleeps nearly all of the time, and does so at any place.
    old = take_turns([ways.OLD], replace(turns, laps=1), Placement.FREE)
    result = Result()
    for place in scale.places(*Placement):
        outcomes = take_turns(ways.SMALL, turns, place) | old
        result.tables.append(table(turns, place, outcomes))
        result.goals += goals(place, outcomes)
        result.medians_us[place] = {
            outcome.title: outcome.rounds.median / 1e3
            for outcome in outcomes.values()
            if not outcome.failure
        }
        if place == scale.place(Placement.FREE):
            work = f"{len(DATA)} bytes and back"
            result.headlines.append(headline(work, outcomes, OURS, ways.BASE))
    return result


def table(turns: Turns, place: Placement, outcomes: dict[str, Outcome]) -> Table:
    """Return the table of a place."""
    table = Table(
        f"Small call, Python to Python, {place}",
        ["way of calling", "median, µs", "rounds, µs", "x raw TCP", "x raw Unix"],
        f"{len(DATA)} bytes to another process and back: {turns} (bgpy 0.3.1: 3 calls in all). "
        "The table shows the median of the rounds' medians, and the lowest and highest of these.",
    )
    for outcome in outcomes.values():
        if outcome.failure:
            table.fail(outcome.title, outcome.failure)
            continue
        rounds = outcome.rounds
        ratios = [times(rounds, outcomes[name]) for name in (ways.BASE, ways.FLOOR)]
        table.add(outcome.title, f"{rounds.median / 1e3:,.1f}", rounds.spread(1e3, 1), *ratios)
    return table


def goals(place: Placement, outcomes: dict[str, Outcome]) -> list[Goal]:
    """Return whether the goals are reached at a place."""
    base, floor = outcomes[ways.BASE], outcomes[ways.FLOOR]
    found = []
    for name, kind, ratio_max in GOALS:
        work = f"small call, Python to Python, {kind}, {place}"
        goal = Goal(work, f"≤ {ratio_max:g} x raw Python TCP echo")
        found.append(goal)
        if base.failure or outcomes[name].failure:
            continue
        ratio = outcomes[name].rounds.median / base.rounds.median
        goal.measured, goal.met = f"{ratio:.2f} x", ratio <= ratio_max
        goal.floor = f"raw Python Unix echo: {times(floor.rounds, base)} x"
    return found


def times(rounds: Rounds, base: Outcome) -> str:
    """Return the ratio of two medians."""
    if base.failure or not rounds.medians:
        return MISSING
    return f"{rounds.median / base.rounds.median:,.2f}"
