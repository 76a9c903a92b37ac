"""Ten megabytes to another process and back."""

from __future__ import annotations

import random
from dataclasses import replace

import ways
from result import MISSING, Result, Scale, Table
from workspace import Placement

from .turns import Turns, headline, take_turns

BYTES = 10_000_000
LIMIT_S = 300.0


def run(scale: Scale) -> Result:
    """Measure all ways; bgpy 0.3.1, which takes minutes, only in the full run."""
    data = random.Random(1).randbytes(BYTES)
    turns = Turns(data, 1, scale.pick(5, 2), scale.pick(5, 1), scale.pick(1, 0), LIMIT_S)
    place = scale.place(Placement.FREE)
    outcomes = take_turns(ways.BULK, turns, place)
    if not scale.quick:
        outcomes |= take_turns([ways.OLD], replace(turns, rounds=1), place)
    table = Table(
        "10 MB of bytes to another process and back",
        ["way of calling", "median, ms", "rounds, ms", "GB/s", "x raw Unix"],
        f"{turns}, taking turns (bgpy 0.3.1: a single call). GB/s counts both directions. The raw "
        "echoes receive into the same memory every time. gRPC refuses more than 4 MiB by default; "
        "its limit is raised here.",
    )
    floor = outcomes[ways.FLOOR_BULK].rounds
    for outcome in outcomes.values():
        if outcome.failure:
            table.fail(outcome.title, outcome.failure)
            continue
        median = outcome.rounds.median
        table.add(
            outcome.title,
            f"{median / 1e6:,.1f}",
            outcome.rounds.spread(1e6, 1),
            f"{2 * BYTES / median:.3f}",
            f"{median / floor.median:,.2f}" if floor.medians else MISSING,
        )
    if scale.quick:
        table.fail("bgpy 0.3.1", "it takes minutes and is left out of the quick run")
    ours = [ways.SAME_HOST, ways.ENCRYPTED]
    row = headline("10 MB of bytes and back", outcomes, ours, "ways.raw:BulkTcp")
    return Result([table], headlines=[row])
