"""What a measure works in: a directory of its own, and servers that end with it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TypeVar

BENCHES = Path(__file__).resolve().parent
ROOT = BENCHES.parent
OLD_PYTHON = ROOT / ".bench" / "old" / "bin" / "python"
RAY_PYTHON = ROOT / ".bench" / "ray" / "bin" / "python"

Returned = TypeVar("Returned")


class Placement(StrEnum):
    """Where a caller and its server run.

    On one CPU, a call costs what the two compute and two switches. On two, it costs the wake-up of
    the other CPU, which is short while that is awake. Left to itself, the scheduler takes the one
    or the other, and may keep to it for long, so that figures vary.
    """

    ONE = "one CPU"
    TWO = "two CPUs"
    FREE = "any CPU"


class Workspace:
    """A directory and the processes of one measure; leaving it removes both.

    Parameters
    ----------
    placement : Placement
        Where this process and the servers run.
    """

    def __init__(self, placement: Placement) -> None:
        self.exits = contextlib.ExitStack()
        before = os.sched_getaffinity(0)
        self.own, self.servers = cpus(placement, before)
        self.exits.callback(os.sched_setaffinity, 0, before)
        os.sched_setaffinity(0, self.own)
        self.directory = Path(tempfile.mkdtemp(prefix="bgpy-bench-"))
        self.exits.callback(shutil.rmtree, self.directory, ignore_errors=True)
        # The registry of the servers here, apart from that of the user.
        self.registry = self.directory / "run"
        os.environ["BGPY_RUNTIME_DIR"] = str(self.registry)
        os.environ.pop("BGPY_TOKEN", None)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.exits.close()

    @contextlib.contextmanager
    def starting_servers(self) -> Iterator[None]:
        """Give processes that start in here the servers' CPUs, which they inherit."""
        os.sched_setaffinity(0, self.servers)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self.own)

    def run(self, command: list[str | Path], **options: object) -> subprocess.Popen[str]:
        """Start a process that ends with the workspace; its standard streams are pipes."""
        with self.starting_servers():
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
            )
        self.exits.callback(end, process)
        return process

    def serve(self, way: type) -> str:
        """Start the server of a way of calling, and return the address that it prints."""
        name = f"{way.__module__}:{way.__qualname__}"
        errors = self.directory / f"{name}.err"
        with errors.open("w") as stderr:
            command = [sys.executable, BENCHES / "serve.py", name, self.directory]
            process = self.run(command, stderr=stderr)
        address = process.stdout.readline().strip()
        if not address:
            lines = errors.read_text().strip().splitlines()
            raise RuntimeError(lines[-1] if lines else "the server ended without a word")
        return address


def apart(function: Callable[..., Returned], *arguments: object) -> Returned:
    """Call a function in a new process, apart from what this one has imported and allocated."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def cpus(placement: Placement, usable: set[int]) -> tuple[set[int], set[int]]:
    """Return the CPUs of this process and those of the servers."""
    if placement is Placement.FREE:
        return usable, usable
    first, *others = sorted(usable)
    if placement is Placement.ONE:
        return {first}, {first}
    if not others:
        raise RuntimeError("this machine has a single CPU")
    # One of another core, where there is one.
    same_core = siblings(first)
    return {first}, {next((cpu for cpu in others if cpu not in same_core), others[0])}


def siblings(cpu: int) -> set[int]:
    """Return the CPUs that share a core."""
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        ranges = [part.split("-") for part in path.read_text().strip().split(",")]
    except OSError:
        return {cpu}
    return {number for part in ranges for number in range(int(part[0]), int(part[-1]) + 1)}


def end(process: subprocess.Popen[str]) -> None:
    """End one process, and wait until it is gone."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        # What was not sent to a dead process is of no use.
        with contextlib.suppress(BrokenPipeError):
            stream.close()


@contextlib.contextmanager
def deadline(limit_s: float) -> Iterator[None]:
    """Raise TimeoutError in this, the main thread, when the time is over."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not done within {limit_s:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
