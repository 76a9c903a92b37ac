"""Measures bgpy beside Ray, whose head listens everywhere: run where loopback is all there is.

`beside_ray.py` starts it as the first process of namespaces, which end with it, and everything in
them too. Its arguments are a module of measures, "quick" or "full", and a placement; it prints the
medians as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import asdict
from fcntl import ioctl
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from struct import pack

SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def main() -> None:
    """Measure in the namespace, and print what became of each way."""
    if len(Path("/proc/net/route").read_text().splitlines()) > 1:
        sys.exit("there are other networks than loopback")
    with socket(AF_INET, SOCK_DGRAM) as link:
        ioctl(link, SIOCSIFFLAGS, pack("16sH14x", b"lo", IFF_UP))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from measures.turns import take_turns
    from result import Scale
    from workspace import Placement

    module, size, place = importlib.import_module(sys.argv[1]), sys.argv[2], Placement(sys.argv[3])
    found = {}
    for work, (names, turns) in module.beside_ray(Scale(size == "quick", place)).items():
        outcomes = take_turns(names, turns, place)
        found[work] = {name: asdict(outcome) for name, outcome in outcomes.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
