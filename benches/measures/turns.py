"""Ways of calling that take turns, round by round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ways
from result import MISSING, Headline, Rounds, time_text, told
from ways.way import Act, Way
from workspace import Placement, Workspace, apart, deadline

PEERS = {*ways.PEERS, *ways.OBJECT_PEERS, *ways.FLOW_PEERS, *ways.FLOW_OBJECT_PEERS}


@dataclass(frozen=True)
class Turns:
    """What is measured of ways beside each other.

    Attributes
    ----------
    data : bytes or callable
        What each call sends, or what makes it in the process that calls.
    laps : int
        How often everything starts anew, callers and servers: where its memory happens to lie
        makes a process faster or slower for all its life.
    rounds, calls : int
        How many rounds in a lap, and how many calls of each way in a round.
    warm_up : int
        Calls before those of a round, which do not count.
    limit_s : float
        Longest time of a round of one way.
    act : Act
        What is done with the data.
    """

    data: bytes | Callable[[], Any]
    laps: int
    rounds: int
    calls: int
    warm_up: int
    limit_s: float = 60.0
    act: Act = Act.ECHO

    def __str__(self) -> str:
        starts = f"{self.laps} starts of all processes, each with " if self.laps > 1 else ""
        return f"{starts}{self.rounds} rounds of {self.calls} calls"


@dataclass
class Outcome:
    """What became of one way: its rounds, or the reason why there are none."""

    title: str
    rounds: Rounds = field(default_factory=Rounds)
    failure: str | None = None

    def take(self, later: Outcome) -> None:
        """Add the rounds of a later lap."""
        self.rounds.medians += later.rounds.medians
        self.failure = self.failure or later.failure

    def ratio(self, base: Outcome) -> float | None:
        """Return how many times as long as another it takes, if both were measured."""
        if self.failure or base.failure:
            return None
        return self.rounds.median / base.rounds.median


def take_turns(names: list[str], turns: Turns, placement: Placement) -> dict[str, Outcome]:
    """Measure ways beside each other, each lap in a new process."""
    outcomes, *later = [apart(lap, names, turns, placement) for _ in range(turns.laps)]
    for more in later:
        for name, outcome in more.items():
            outcomes[name].take(outcome)
    return outcomes


def lap(names: list[str], turns: Turns, placement: Placement) -> dict[str, Outcome]:
    """Start all ways and measure them in turns; one that fails is left out from there on."""
    outcomes = {name: Outcome(name) for name in names}
    data = turns.data() if callable(turns.data) else turns.data
    opened: dict[str, Way] = {}
    with Workspace(placement) as workspace:
        for name, outcome in outcomes.items():
            with failing(outcome, turns.limit_s):
                kind = ways.load(name)
                outcome.title = kind.title
                way = kind(workspace)
                way.open()
                way.check(data, turns.act)
                opened[name] = way
        for number in range(turns.rounds):
            for name, way in opened.items():
                if not outcomes[name].failure and number < (way.rounds_max or turns.rounds):
                    with failing(outcomes[name], turns.limit_s):
                        take_turn(way, turns, data, outcomes[name].rounds)
        for name, way in opened.items():
            with failing(outcomes[name], turns.limit_s):
                way.close()
    return outcomes


def take_turn(way: Way, turns: Turns, data: Any, rounds: Rounds) -> None:
    """Measure one way for one round."""
    if way.calls_max is None:
        way.times(data, turns.warm_up, turns.act)
    rounds.add(way.times(data, min(turns.calls, way.calls_max or turns.calls), turns.act))


@contextmanager
def failing(outcome: Outcome, limit_s: float) -> Iterator[None]:
    """Note what goes wrong in the block, or takes too long."""
    try:
        with deadline(limit_s):
            yield
    except Exception as error:
        outcome.failure = outcome.failure or told(error)


def headline(work: str, outcomes: dict[str, Outcome], ours: list[str], floor: str) -> Headline:
    """Return a row of the summary: both ways of bgpy, the fastest peer, and a floor."""
    measured = {name: outcome for name, outcome in outcomes.items() if not outcome.failure}
    peers = [measured[name] for name in measured if name in PEERS]
    best = min(peers, key=lambda peer: peer.rounds.median, default=None)
    same_host, encrypted = (
        time_text(measured[name].rounds.median) if name in measured else MISSING for name in ours
    )
    return Headline(work, same_host, encrypted, named(best), named(measured.get(floor)))


def named(outcome: Outcome | None) -> str:
    """Return the median of a way with its name."""
    return f"{time_text(outcome.rounds.median)} ({outcome.title})" if outcome else MISSING
