"""Measures bgpy beside Ray, whose head listens everywhere: run where loopback is all there is.

`measures/ray.py` starts it as the first process of namespaces, which end with it, and everything in
them too. Its arguments are rounds, calls and a placement; it prints the medians as JSON.
"""

from __future__ import annotations

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
    from measures.large import array
    from measures.ray import WAYS
    from measures.turns import Turns, take_turns
    from workspace import Placement

    rounds, calls, place = int(sys.argv[1]), int(sys.argv[2]), Placement(sys.argv[3])
    found = {}
    for act, names in WAYS.items():
        turns = Turns(array, 1, rounds, calls, 1, act=act)
        outcomes = take_turns(names, turns, place)
        found[act] = {name: asdict(outcome) for name, outcome in outcomes.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
