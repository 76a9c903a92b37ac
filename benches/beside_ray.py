"""Measures ways beside Ray, in namespaces whose only network is loopback."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile

from measures.turns import Outcome
from result import Rounds, Scale
from workspace import BENCHES, RAY_PYTHON, Placement

# Of processes, which end with the first one, and of networks, with nothing but loopback.
NAMESPACES = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
LIMIT_S = 240


def measured(module: str, scale: Scale) -> dict[str, dict[str, Outcome]]:
    """Measure what `beside_ray` of a module of measures lists, and return the outcomes by work."""
    if not RAY_PYTHON.exists():
        raise FileNotFoundError("Ray is not installed; run `make bench-ray`")
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    size, place = "quick" if scale.quick else "full", scale.place(Placement.FREE)
    program = [RAY_PYTHON, BENCHES / "ray_run.py", module, size, place]
    # A short name, because Ray's sockets lie far below it.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as directory:
        try:
            run = subprocess.run(
                [*NAMESPACES, *root, *program],
                env={**os.environ, "PYTHONPATH": str(BENCHES), "TMPDIR": directory},
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"not finished within {LIMIT_S} s") from None
    lines = run.stdout.strip().splitlines()
    if run.returncode or not lines:
        raise RuntimeError((run.stderr.strip().splitlines() or ["it failed without output"])[-1])
    return {
        work: {
            name: Outcome(one["title"], Rounds(one["rounds"]["medians"]), one["failure"])
            for name, one in outcomes.items()
        }
        for work, outcomes in json.loads(lines[-1]).items()
    }
