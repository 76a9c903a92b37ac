"""The small call from Rust to Rust: takes over the lines of the crate's own benchmark."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from result import Goal, Result, Scale, Table
from workspace import ROOT, Placement, Workspace

COMMAND = ["cargo", "bench", "-q", "-p", "bgpy", "--bench", "round_trip"]
RATIO_MAX = 1.15
UNIX, TCP, OURS = "raw Unix echo, Rust", "raw TCP echo, Rust", "bgpy, Unix socket"
# Those of the echoes over TCP and over a Unix socket, and that of bgpy.
SERVERS = 3
MEASURE_S = 300


def run(scale: Scale) -> Result:
    """Run the benchmark at all places."""
    result = Result()
    places = scale.places(*Placement)
    try:
        # Compiled before, so that nothing is compiled beside the measuring.
        program = built(scale.pick(1800, 25))
    except (OSError, RuntimeError) as error:
        table = head("to be built first")
        table.fail(OURS, error)
        return Result([table], [goal(place) for place in places])
    for place in places:
        table = head(place)
        result.tables.append(table)
        verdict = goal(place)
        try:
            lines = [line.split("\t") for line in measured(program, place).splitlines()]
            medians = {name: float(median) for name, median in lines}
            verdict = goal(place, medians[OURS], medians[UNIX])
            for name, median in medians.items():
                ratios = [f"{median / medians[raw]:.2f}" for raw in (TCP, UNIX)]
                table.add(name, f"{median:.2f}", *ratios)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            table.fail(OURS, error)
        result.goals.append(verdict)
    return result


def head(place: str) -> Table:
    """Return the table of a place without its rows."""
    return Table(
        f"Small call, Rust to Rust, {place}",
        ["way of calling", "median, µs", "x raw TCP", "x raw Unix"],
        f"`{' '.join(COMMAND)}`: 64 bytes to another process and back, taking turns.",
    )


def goal(place: str, ours_us: float | None = None, raw_us: float | None = None) -> Goal:
    """Return whether the goal is reached at a place."""
    work = f"small call, Rust to Rust, Unix socket, {place}"
    goal = Goal(work, f"≤ {RATIO_MAX:g} x raw Rust Unix echo")
    if ours_us and raw_us:
        goal.measured, goal.met = f"{ours_us / raw_us:.2f} x", ours_us <= RATIO_MAX * raw_us
        goal.floor = f"raw Rust Unix echo: {raw_us:.2f} µs"
    return goal


def built(limit_s: float) -> str:
    """Have cargo build the benchmark, and return where it is."""
    lines = output([*COMMAND, "--no-run", "--message-format=json"], limit_s).splitlines()
    programs = [json.loads(line).get("executable") for line in lines if line.startswith("{")]
    return next(program for program in reversed(programs) if program)


def measured(program: str, place: Placement) -> str:
    """Run the benchmark as cargo would, with its servers where they belong."""
    with Workspace(place) as workspace:

        def move(process: subprocess.Popen[str]) -> None:
            if place is Placement.TWO:
                move_servers(process, workspace.servers)

        return output([program, "--bench"], MEASURE_S, move)


def output(
    command: list[str],
    limit_s: float,
    meanwhile: Callable[[subprocess.Popen[str]], None] = lambda _process: None,
) -> str:
    """Run a program and return what it prints."""
    # In a group of its own, because the processes below it would survive it.
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        try:
            meanwhile(process)
            text, errors = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{Path(command[0]).name} took more than {limit_s} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise RuntimeError((errors.strip().splitlines() or ["it failed without output"])[-1])
    return text


def move_servers(process: subprocess.Popen[str], cpus: set[int]) -> None:
    """Bind the servers that the benchmark starts to other CPUs than itself."""
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            servers = psutil.Process(process.pid).children()
            if len(servers) == SERVERS:
                for thread in (thread for server in servers for thread in server.threads()):
                    os.sched_setaffinity(thread.id, cpus)
                return
        time.sleep(0.005)
