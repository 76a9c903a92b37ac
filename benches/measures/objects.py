"""Objects of several kinds as arguments, beside pickle alone in one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ways
from result import MISSING, Goal, Result, Scale, Table
from ways.way import Act
from workspace import Placement

from .turns import Outcome, Turns, headline, take_turns

PICKLE_MAX = 1.5
OURS = [ways.PICKLE, ways.OBJECTS_SAME_HOST, ways.OBJECTS_ENCRYPTED]


def arrays() -> Any:
    """Return arrays of 8192 float64."""
    import numpy as np

    return list(np.random.default_rng(1).random((1000, 8192)))


def frame() -> Any:
    """Return columns of float64 and one of int64."""
    import numpy as np
    import pandas as pd

    count = 20_000
    noise = np.random.default_rng(1).random((5, count))
    return pd.DataFrame({"id": range(count), **dict(zip("abcde", noise, strict=True))})


def items() -> Any:
    """Return a dict of numbers by names."""
    return {f"name {number}": number for number in range(100_000)}


def text() -> Any:
    """Return text of one byte a letter."""
    return "a line of text " * 66_667


@dataclass(frozen=True)
class Kind:
    """What is sent: its name, what makes it, and how many calls of it make a round."""

    name: str
    make: Callable[[], Any]
    calls: int


KINDS = [
    Kind("list of 1,000 arrays of 64 KiB", arrays, 2),
    Kind("pandas frame of 1 MB", frame, 100),
    Kind("dict of 100,000 small items", items, 10),
    Kind("str of 1 MB", text, 100),
]


def run(scale: Scale) -> Result:
    """Measure all kinds; the slow ways in the full run only."""
    result = Result()
    names = [*OURS, *(ways.OBJECT_PEERS_FAST if scale.quick else ways.OBJECT_PEERS)]
    for kind in KINDS:
        calls = scale.pick(kind.calls, max(1, kind.calls // 10))
        turns = Turns(
            kind.make, 1, scale.pick(5, 2), calls, scale.pick(-(-calls // 10), 1), act=Act.ARGUMENT
        )
        outcomes = take_turns(names, turns, scale.place(Placement.FREE))
        result.tables.append(table(kind, turns, outcomes))
        result.goals += goals(kind, outcomes)
        row = headline(f"{kind.name} as an argument", outcomes, OURS[1:], ways.PICKLE)
        result.headlines.append(row)
    return result


def table(kind: Kind, turns: Turns, outcomes: dict[str, Outcome]) -> Table:
    """Return the table of a kind."""
    base = outcomes[ways.PICKLE]
    table = Table(
        f"{kind.name[0].upper()}{kind.name[1:]} as an argument",
        ["way of calling", "median, ms", "rounds, ms", "x pickle alone"],
        f"Sent to another process, which answers with its length: {turns}, taking turns. Pickle "
        "alone is `pickle.loads(pickle.dumps(it, 5))` in the caller.",
    )
    for outcome in outcomes.values():
        if outcome.failure:
            table.fail(outcome.title, outcome.failure)
            continue
        rounds, ratio = outcome.rounds, outcome.ratio(base)
        times = f"{rounds.median / 1e6:,.2f}", rounds.spread(1e6, 2)
        table.add(outcome.title, *times, f"{ratio:,.2f}" if ratio else MISSING)
    return table


def goals(kind: Kind, outcomes: dict[str, Outcome]) -> list[Goal]:
    """Return whether the goals are reached for a kind."""
    ours, base = outcomes[ways.OBJECTS_SAME_HOST], outcomes[ways.PICKLE]
    found = Goal(f"{kind.name} as an argument", f"≤ {PICKLE_MAX:g} x pickle alone")
    if ratio := ours.ratio(base):
        found.measured, found.met = f"{ratio:.2f} x", ratio <= PICKLE_MAX
        found.floor = f"pickle alone: {base.rounds.median / 1e6:.2f} ms"
    ahead = Goal(found.work, "ahead of every peer")
    peers = [outcome for name, outcome in outcomes.items() if name in ways.OBJECT_PEERS]
    peers = [peer for peer in peers if not peer.failure]
    if peers and not ours.failure:
        best = min(peers, key=lambda peer: peer.rounds.median)
        ratio = ours.ratio(best)
        ahead.measured, ahead.met = f"{ratio:.2f} x {best.title}", ratio < 1
    return [found, ahead]
