"""The page about the figures, docs/benchmarks.md."""

from __future__ import annotations

import machine
from result import MISSING, Goal, Result, Table

INTRODUCTION = """\
# Benchmarks

How fast bgpy is, compared with raw sockets and with similar tools. The times are medians of one
run on one [machine](#machine); on another machine, expect other times and similar ratios.
"""

CHART = """\
![Times of a small call by bgpy, raw sockets and other tools](benchmarks.svg)
"""

METHOD = """\
## Method

- Each server is a separate process on the same machine as its client; all traffic stays on the
  loopback interface or in Unix sockets.
- Tools that are compared take turns, round by round, in one run. A figure is the median of the
  medians of its rounds.
- Times are taken with `time.perf_counter_ns` around each call, in the caller. The garbage
  collector is left on.
- The CPUs on which caller and server run matter more than the code: on one CPU, a call costs what
  both sides compute and two switches between them; on two, it costs the wake-up of the other CPU,
  which is short while that CPU is awake and long once it sleeps. The scheduler may choose either
  and keep it for a long time, so figures for "any CPU" vary. Small calls are therefore measured
  in all three settings; {pinning}.
- The memory layout of a process makes it up to 10 or 20 % faster or slower for its lifetime.
  Small calls are therefore measured with several starts of all processes.
- The raw echoes in Python are the minimum that does the work: `sendall` and `recv` of one
  message, with `TCP_NODELAY` set. bgpy and the other tools also transfer a Python object.
- The other tools are used as their documentation shows, over TCP and over a Unix socket. gRPC
  uses a generic handler with pickle; RPyC's method is looked up once.
- Calls in flight and streams are timed by the batch, from its first call to its last value. Each
  tool does what it offers for that: gRPC aio on both sides, ZeroMQ's DEALER and ROUTER without a
  limit on waiting messages, RPyC's `async_` and `buffiter`, Pyro5's batches and generators, and
  Ray's references and generators.
- Objects are sent as each tool supports it: pickled through multiprocessing, gRPC and Pyro5
  (whose marshal passes the bytes unchanged); through ZeroMQ with pickle 5, with large buffers as
  separate parts that are not copied. RPyC does not transfer objects and is left out. Objects are
  created before the clock starts, and a check that they arrive correctly also runs before.
- The server's open sockets are checked to confirm that "TCP encrypted" uses TCP and "same host"
  does not.
"""

UNPINNED = "other measurements pin nothing to a CPU unless stated"
PINNED = "in this run, everything was pinned to {pin}"

REPRODUCE = """\
## How to reproduce

```shell
make bench
```

builds bgpy, installs it with the other tools in `.bench/venv` and bgpy 0.3.1 in `.bench/old`,
runs the measurements, and writes this page. `benches/README.md` describes how to run a part of
them.
"""

# Above this load, the machine is doing other work.
LOAD_MAX = 0.3

MET = {True: "yes", False: "**no**", None: MISSING}


def page(
    results: list[Result], facts: list[tuple[str, str]], *, quick: bool, pin: str | None
) -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    if quick:
        parts.append(
            "**These are the results of a quick run with few rounds: a first impression, not a "
            "basis for claims.**\n"
        )
    load = dict(facts)[machine.LOAD]
    if float(load) > LOAD_MAX:
        parts.append(
            f"**The machine was busy with other work (load {load}), which affects the figures.**\n"
        )
    goals = [goal for result in results for goal in result.goals]
    parts += [summary_table(results).markdown() + "\n", f"{goals_met(goals)}\n", CHART]
    table = goals_table(results)
    parts += [f"## {table.title}\n", f"{table.note}\n", table.markdown() + "\n"]
    for table in (table for result in results for table in result.tables):
        parts += [f"## {table.title}\n", f"{table.note}\n", table.markdown() + "\n"]
    parts += ["## Machine\n", machine_table(facts).markdown() + "\n"]
    parts += [METHOD.format(pinning=PINNED.format(pin=pin) if pin else UNPINNED), REPRODUCE]
    return "\n".join(parts)


def summary_table(results: list[Result]) -> Table:
    """Return the summary: a row for each kind of work."""
    table = Table(
        "Summary",
        ["work", "bgpy, same host", "bgpy, TCP encrypted", "fastest other tool", "for scale"],
        words=True,
    )
    for row in (row for result in results for row in result.headlines):
        table.add(row.work, row.same_host, row.encrypted, row.peer, row.floor)
    return table


def goals_met(goals: list[Goal]) -> str:
    """Return in a sentence how many goals were reached."""
    measured = [goal for goal in goals if goal.met is not None]
    met = sum(goal.met for goal in measured)
    return f"In this run, bgpy met {met} of its {len(measured)} [performance goals](#goals)."


def goals_table(results: list[Result]) -> Table:
    """Return the goals and what was measured."""
    table = Table(
        "Goals",
        ["work", "goal", "measured", "met", "floor measured beside it"],
        "bgpy's performance goals, with the lower bound measured beside them where there is one. "
        '"Any CPU" is normal use; "one CPU" pins both processes to one core, to compare their raw '
        "cost.",
        words=True,
    )
    for goal in (goal for result in results for goal in result.goals):
        table.add(goal.work, goal.wanted, goal.measured, MET[goal.met], goal.floor)
    return table


def machine_table(facts: list[tuple[str, str]]) -> Table:
    """Return the description of the machine."""
    table = Table("Machine", ["what", "which"], words=True)
    for name, text in facts:
        table.add(name, text)
    return table
