"""What is tried, in the order of the page. Each is a module with ``run(scale) -> list[Row]``.

A trial asserts what must hold, whatever the machine: that each answer is the right one, that
nothing ran twice, that nothing was left. What it measures it only tells.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TRIALS = ["simulated", "load", "deaths", "handshakes", "strangers", "crowd", "queue", "flood"]

# Minutes that a run with all counts as they stand in the trials takes, about.
MINUTES = 10


@dataclass(frozen=True)
class Scale:
    """How much is tried: a multiple of what a run of some ten minutes does."""

    factor: float

    def count(self, full: int, least: int = 1) -> int:
        """Return how often something is done."""
        return max(least, round(full * self.factor))


@dataclass(frozen=True)
class Row:
    """What was done, and what was seen."""

    done: str
    seen: str


def resident_mib(pid: int) -> float:
    """Return the memory that a process has resident."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def percentile(sorted_times: list[int], share: float) -> float:
    """Return the time in microseconds below which this share of the calls was."""
    return sorted_times[min(len(sorted_times) - 1, int(share * len(sorted_times)))] / 1e3
