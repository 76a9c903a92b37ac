"""What measures come back with: tables of cells, goals, and the medians for the charts."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workspace import ROOT, Placement

MISSING = "-"


@dataclass
class Table:
    """Rows of cells under a head. The first column names; the others hold figures, or words."""

    title: str
    head: list[str]
    note: str = ""
    rows: list[list[str]] = field(default_factory=list)
    words: bool = False

    def add(self, *cells: str) -> None:
        """Append a row."""
        self.rows.append(list(cells))

    def fail(self, name: str, reason: object) -> None:
        """Append a row for what could not be measured, with the reason."""
        self.rows.append([name, f"not measured: {told(reason)}"])

    def text(self) -> str:
        """Return the table for a terminal."""
        full = [row for row in [self.head, *self.rows] if len(row) == len(self.head)]
        widths = [max(len(row[column]) for row in full) for column in range(len(self.head))]
        widths[0] = max(len(row[0]) for row in [self.head, *self.rows])
        align = str.ljust if self.words else str.rjust
        lines = [self.title]
        for name, *cells in [self.head, *self.rows]:
            if len(cells) == len(widths) - 1:
                cells = map(align, cells, widths[1:])
            lines.append("  " + "  ".join([name.ljust(widths[0]), *cells]).rstrip())
        return "\n".join(lines)

    def markdown(self) -> str:
        """Return the table for a page."""
        columns = len(self.head)
        rows = [row + [MISSING] * (columns - len(row)) for row in self.rows]
        rule = ["---", *["---" if self.words else "---:"] * (columns - 1)]
        return "\n".join("| " + " | ".join(row) + " |" for row in [self.head, rule, *rows])


@dataclass
class Goal:
    """One of the numbers to reach, and the floor under it that was measured beside it."""

    work: str
    wanted: str
    measured: str = "not measured"
    met: bool | None = None
    floor: str = MISSING


@dataclass
class Headline:
    """A row of the summary at the top of the page."""

    work: str
    same_host: str = MISSING
    encrypted: str = MISSING
    peer: str = MISSING
    floor: str = MISSING


@dataclass
class Result:
    """What one measure has found."""

    tables: list[Table] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    headlines: list[Headline] = field(default_factory=list)
    # Microseconds of a small call by placement and by the title of its way, for the chart.
    medians_us: dict[str, dict[str, float]] = field(default_factory=dict)
    # Microseconds by the title of the way and by the bytes sent, for the other chart.
    sizes_us: dict[str, dict[int, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Scale:
    """How much is measured: all of it, or as little as shows that everything works."""

    quick: bool
    # Where callers and servers run in all measures, instead of where each measure has them.
    pin: Placement | None = None

    def pick(self, full: int, quick: int) -> int:
        """Return the count for this scale."""
        return quick if self.quick else full

    def places(self, *usual: Placement) -> list[Placement]:
        """Return where callers and servers run."""
        return [self.pin] if self.pin else list(usual)

    def place(self, usual: Placement) -> Placement:
        """Return where callers and servers run."""
        return self.pin or usual


@dataclass
class Rounds:
    """The medians of the rounds of one thing, in nanoseconds."""

    medians: list[float] = field(default_factory=list)

    def add(self, times: Sequence[int]) -> None:
        """Add a round by the times of its calls."""
        self.medians.append(statistics.median(times))

    @property
    def median(self) -> float:
        """The median of the rounds' medians."""
        return statistics.median(self.medians)

    def spread(self, unit_ns: float, digits: int) -> str:
        """Return the lowest and the highest median of a round."""
        low, high = min(self.medians) / unit_ns, max(self.medians) / unit_ns
        return f"{low:.{digits}f} to {high:.{digits}f}"


def time_text(time_ns: float) -> str:
    """Return a time with its unit, in two or three digits."""
    unit, word = next(unit for unit in UNITS if time_ns >= unit[0] or unit == UNITS[-1])
    value = time_ns / unit
    return f"{value:,.0f} {word}" if value >= 10 else f"{value:.1f} {word}"


UNITS = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")]


def told(reason: object) -> str:
    """Return an error as one line, which names no place on this machine."""
    lines = str(reason).replace(str(ROOT), ".").replace(str(Path.home()), "~").strip().splitlines()
    if isinstance(reason, ModuleNotFoundError):
        return f"{reason.name} is not installed"
    if isinstance(reason, BaseException):
        return f"{type(reason).__name__}: {lines[0]}" if lines else type(reason).__name__
    return lines[0]
