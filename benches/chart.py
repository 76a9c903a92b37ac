"""The charts of the small calls, and of arrays of all sizes."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator

from result import time_text
from workspace import Placement

OURS, RAW, OTHERS, INK = "#c2410c", "#64748b", "#b6c4d4", "#1f2937"
OLD = "bgpy 0.3.1"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    # The same figures make the same file.
    "svg.hashsalt": "bgpy",
}


def draw(medians_us: dict[str, dict[str, float]], path: Path) -> None:
    """Draw a bar for each way of calling, the fastest on top, on a scale of powers of ten.

    Parameters
    ----------
    medians_us : dict
        Microseconds by the placement of caller and server and by the title of the way. The solid
        bars are of any CPU, as in normal use, and the pale ones below them of one CPU, if both
        were measured.
    path : Path
        Where the chart goes; the suffix says in which format.
    """
    place = Placement.FREE if Placement.FREE in medians_us else next(iter(medians_us))
    near = medians_us.get(Placement.ONE, {}) if place == Placement.FREE else {}
    bars = sorted(medians_us[place].items(), key=lambda bar: bar[1], reverse=True)
    names = [name for name, _ in bars]
    times = [time for _, time in bars]
    colors = [color(name) for name in names]
    height = 0.4 if near else 0.68
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(8.6, 0.45 * len(bars) + 1.0), layout="constrained")
        axes.barh(names, times, color=colors, height=height)
        for row, name in enumerate(names if near else []):
            at, shade = row - height * 0.8, color(name)
            axes.barh(at, near[name], color=shade, height=height / 2, alpha=0.35)
            axes.text(near[name] * 1.1, at, label(near[name]), va="center", fontsize=7)
        axes.set_xscale("log")
        axes.set_xlim(min(times) / 2, max([*times, *near.values()]) * 6)
        for row, time in enumerate(times):
            axes.text(time * 1.1, row, label(time), va="center", fontsize=9)
        for tick in axes.get_yticklabels():
            tick.set_fontweight("bold" if color(tick.get_text()) == OURS else "normal")
        axes.tick_params(left=False, colors=INK)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda time, _at: time_label(time)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("median time of a call, logarithmic scale")
        axes.grid(axis="x", color=OTHERS, linewidth=0.4)
        axes.set_axisbelow(True)
        axes.spines[["top", "left", "right"]].set_visible(False)
        axes.spines["bottom"].set_color(RAW)
        axes.margins(y=0.01)
        figure.suptitle(
            "64 bytes to another Python process and back", x=0.01, ha="left", fontsize=11
        )
        handles = [Patch(color=shade) for shade in (OURS, RAW, OTHERS)]
        labels = ["bgpy", "raw socket", "other tool"]
        if near:
            handles += [Patch(color=INK), Patch(color=INK, alpha=0.35, linewidth=0)]
            labels += [f"wide bar: {Placement.FREE}", f"narrow, pale bar: {Placement.ONE}"]
        axes.legend(handles, labels, frameon=False, loc="upper right", fontsize=9)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=120)
        plt.close(figure)


def draw_sizes(medians_us: dict[str, dict[int, float]], path: Path) -> None:
    """Draw a line for each way over the bytes that it sent, both on scales of powers.

    Parameters
    ----------
    medians_us : dict
        Microseconds by the title of the way and by the bytes sent.
    path : Path
        Where the chart goes.
    """
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(8.6, 4.6), layout="constrained")
        for style, (name, line) in zip(["--", ":", "-"], medians_us.items(), strict=False):
            ours = color(name) == OURS
            sizes, times = list(line), list(line.values())
            axes.plot(
                sizes,
                times,
                "-" if ours else style,
                marker="o",
                markersize=4,
                color=OURS if ours else RAW,
                linewidth=2 if ours else 1.3,
                label=name,
            )
        axes.set_xscale("log", base=4)
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _at: size_label(size)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda time, _at: time_label(time)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_xticks(sorted({size for line in medians_us.values() for size in line}))
        axes.set_xlabel("size of the array, logarithmic scale")
        axes.set_ylabel("median time, logarithmic scale")
        axes.grid(color=OTHERS, linewidth=0.4)
        axes.tick_params(colors=INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(RAW)
        axes.legend(frameon=False, loc="upper left")
        figure.suptitle("A NumPy array to another Python process", x=0.01, ha="left", fontsize=11)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=120)
        plt.close(figure)


def size_label(size: float) -> str:
    """Return a size with its unit."""
    power = min(int(math.log2(size)) // 10, 3)
    return f"{size / (1 << 10 * power):.0f} {['B', 'KiB', 'MiB', 'GiB'][power]}"


def time_label(time_us: float) -> str:
    """Return a power of ten with its unit."""
    power = min(math.floor(math.log10(time_us) + 1e-9) // 3, 2) if time_us >= 1 else 0
    return f"{time_us / 1000**power:g} {['µs', 'ms', 's'][power]}"


def color(name: str) -> str:
    """Return the color of a bar."""
    if name.startswith("bgpy") and name != OLD:
        return OURS
    return RAW if name.startswith("raw") else OTHERS


def label(time_us: float) -> str:
    """Return a time with its unit."""
    return time_text(time_us * 1e3)
