"""The simulation of the Rust tests, with many seeds."""

from __future__ import annotations

import os
import re
import subprocess

from trials import Row, Scale
from workspace import ROOT


def run(scale: Scale) -> list[Row]:
    """Play the seeds; one that fails is named by the error."""
    seeds = scale.count(100_000, 1000)
    command = ["cargo", "test", "-q", "-p", "bgpy", "--lib", "--locked", "simulation"]
    played = subprocess.run(
        [*command, "--", "--nocapture"],
        cwd=ROOT,
        env={**os.environ, "SEEDS": str(seeds)},
        capture_output=True,
        text=True,
    )
    assert played.returncode == 0, played.stderr[-3000:]
    sums = {name: int(count) for name, count in re.findall(r"(\w+): (\d+)", played.stdout)}
    assert sums["seeds"] == seeds
    return [
        Row(
            f"{seeds:,} seeds of the simulation, with {sums['crashes']:,} killed processes and "
            f"{sums['cuts']:,} cut connections",
            f"{sums['answered']:,} calls answered correctly, {sums['perhaps']:,} that may have "
            f"run, {sums['surely_not']:,} that have not run: each as its caller was told",
        )
    ]
