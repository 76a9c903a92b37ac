"""Stress tests, in long runs: ``python benches/chaos.py [--minutes N] [--only NAME]``.

A full run writes docs/reliability.md; other runs only print. What a trial asserts holds on any
machine; figures are only reported.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

import machine
import report
from result import Table
from trials import MINUTES, TRIALS, Row, Scale
from workspace import ROOT, apart

FACTS = {"CPU", "memory", "system", "Python", "Rust", "bgpy", "date", machine.LOAD}

INTRODUCTION = """\
# Reliability

The stress tests that bgpy has passed, and their results. Each line includes assertions: a wrong
answer, a call that ran twice or a leftover would have stopped the run before this page was written.
Times depend on the machine below and on its other work; no assertion depends on them.
"""

METHOD = """\
## Method

- The simulation runs a server, its supervisor and up to five clients from a seed: bytes arrive in
  pieces of any size, connections are cut or stall, processes die at any moment and are restarted,
  and unauthenticated clients connect. It runs the code of bgpy itself on a simulated clock, so a
  seed that fails, fails again: `SEED=n cargo test -p bgpy --lib simulation`. The checks are in
  [ledger.rs](../crates/bgpy/src/simulation/ledger.rs) and
  [world.rs](../crates/bgpy/src/simulation/world.rs).
- All other tests use real servers in separate processes, through their Unix sockets and through TCP
  on the loopback interface.
- For each client, one handshake is cut, or two in a row.
- Decoders are fuzzed with libFuzzer, for as long as you like (`make fuzz`). Inputs that reach new
  code are kept in `fuzz/corpora`, and each test run replays them.
- A flood comes from one process, which opens connections as fast as it can, 64 at a time unless the
  line says otherwise. What one that goes to another server costs is the machine's share.

## How to reproduce

```shell
make chaos
```

takes about ten minutes and writes this page; `make chaos MINUTES=60` runs six times as much.
"""


def main() -> int:
    """Try, print, and write the page."""
    options = arguments()
    scale = Scale(options.minutes / MINUTES)
    # Before anything runs, because they hold the load of the machine.
    facts = [(name, text) for name, text in machine.facts() if name in FACTS]
    table = Table("Tests and results", ["test", "result"], words=True)
    began = time.monotonic()
    for name in options.only or TRIALS:
        start = time.monotonic()
        for row in apart(run_trial, name, scale):
            table.add(row.done, row.seen)
            print(f"{row.done}\n    {row.seen}", flush=True)
        print(f"  ({name}: {time.monotonic() - start:.0f} s)", flush=True)
    if not options.only:
        facts.append(("duration", f"{(time.monotonic() - began) / 60:.0f} minutes"))
        (options.docs / "reliability.md").write_text(page(table, facts))
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help="approximate duration (default: 10)"
    )
    parser.add_argument(
        "--only", action="append", choices=TRIALS, metavar="NAME", help=", ".join(TRIALS)
    )
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="directory of the page")
    return parser.parse_args()


def run_trial(name: str, scale: Scale) -> list[Row]:
    """Run one trial, in a process of its own."""
    return importlib.import_module(f"trials.{name}").run(scale)


def page(table: Table, facts: list[tuple[str, str]]) -> str:
    """Return the page."""
    parts = [INTRODUCTION, f"## {table.title}\n", table.markdown() + "\n"]
    parts += ["## Machine\n", report.machine_table(facts).markdown() + "\n", METHOD]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
