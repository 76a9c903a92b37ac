"""The page about the figures, docs/benchmarks.md."""

from __future__ import annotations

import machine
from result import MISSING, Result, Table

INTRODUCTION = """\
# Benchmarks

How fast bgpy is, beside what the system itself costs (raw sockets) and beside its peers. The ratios
are what counts; absolute times belong to the machine below.

![Small call, medians](benchmarks.svg)
"""

METHOD = """\
## Method

- Every server is a process of its own, on the same machine as its client; all traffic stays on the
  loopback interface or in Unix sockets.
- Ways of calling that are compared take turns, round by round, in one run. A figure is the median
  of the medians of its rounds.
- Times are those of `time.perf_counter_ns` around each call, in the caller. The garbage collector
  is left on.
- Where caller and server run decides more than what they run: on one CPU a call costs what the two
  compute; on two it costs the waking of the other CPU as well, on virtual machines several times as
  much, and what a program does hardly counts. The scheduler takes the one or the other as it likes
  and may keep to it for long, so that figures of "any CPU" jump. Small calls are therefore measured
  at all three; {pinning}.
- Where its memory happens to lie makes a process faster or slower for all its life, by a tenth or
  two. Small calls are therefore measured with several starts of all processes.
- The raw echoes in Python are the fewest instructions that do the work: `sendall` and `recv` of one
  message, `TCP_NODELAY` set. bgpy and the peers move a Python object beyond that.
- Peers run as their documentation shows, over TCP and over a Unix socket. gRPC uses a generic
  handler with pickle; RPyC's method is looked up once.
- Objects go as each peer takes them: by pickle through multiprocessing, gRPC and Pyro5 (whose
  marshal leaves the bytes as they are), through ZeroMQ by pickle 5 with large buffers as parts of
  their own, not copied. RPyC leaves objects where they are, and is not among them. Objects are made
  before the clock runs; that what was sent has arrived is checked before, too.
- Whether "TCP encrypted" is TCP, and "same host" is not, is read from the server's open sockets.
"""

UNPINNED = "other measures bind nothing to a CPU unless it is said beside them"
PINNED = "this run, however, had everything on {pin}"

REPRODUCE = """\
## How to reproduce

```shell
make bench
```

builds bgpy, installs it with the peers in `.bench/venv` and bgpy 0.3.1 in `.bench/old`, measures,
and writes this page. `benches/README.md` tells how to measure a part of it.
"""

# More than this and the machine has something else to do.
LOAD_MAX = 0.3

MET = {True: "yes", False: "**no**", None: MISSING}

LATER = """\
Not measured yet: pipelined calls of the asyncio client.
"""


def page(
    results: list[Result], facts: list[tuple[str, str]], *, quick: bool, pin: str | None
) -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    if quick:
        parts.append(
            "**This is the result of a quick run with few rounds: good for a look, not for a "
            "claim.**\n"
        )
    load = dict(facts)[machine.LOAD]
    if float(load) > LOAD_MAX:
        parts.append(f"**The machine was busy with other work (load {load}), which shows.**\n")
    goals = goals_table(results)
    parts += ["## Goals\n", f"{goals.note}\n", goals.markdown() + "\n", LATER]
    for table in (table for result in results for table in result.tables):
        parts += [f"## {table.title}\n", f"{table.note}\n", table.markdown() + "\n"]
    parts += ["## Machine\n", machine_table(facts).markdown() + "\n"]
    parts += [METHOD.format(pinning=PINNED.format(pin=pin) if pin else UNPINNED), REPRODUCE]
    return "\n".join(parts)


def goals_table(results: list[Result]) -> Table:
    """Return the numbers to reach, and what was measured."""
    table = Table(
        "Goals",
        ["work", "goal", "measured", "met", "floor measured beside it"],
        "What bgpy wants to reach, with the floor under it where there is one. "
        '"Any CPU" is normal use; "one CPU" pins both processes to one core, to compare what they '
        "cost.",
        words=True,
    )
    for goal in (goal for result in results for goal in result.goals):
        table.add(goal.work, goal.wanted, goal.measured, MET[goal.met], goal.floor)
    return table


def machine_table(facts: list[tuple[str, str]]) -> Table:
    """Return what the machine is."""
    table = Table("Machine", ["what", "which"], words=True)
    for name, text in facts:
        table.add(name, text)
    return table
