"""The machine and the programs that figures belong to."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

import bgpy
from workspace import OLD_PYTHON, RAY_PYTHON

LOAD = "load before the run"
PEERS = ["Pyro5", "rpyc", "pyzmq", "grpcio"]
DATA = ["numpy", "pandas"]


def facts() -> list[tuple[str, str]]:
    """Return what there is to know, without names of hosts, users or paths."""
    memory_gib = psutil.virtual_memory().total / (1 << 30)
    peers = ", ".join(f"{name} {version(name)}" for name in PEERS)
    return [
        ("CPU", f"{cpu()}, {os.cpu_count()} logical CPUs"),
        ("memory", f"{memory_gib:.0f} GiB"),
        ("system", f"{platform.system()} {numbers(platform.release())}, {platform.machine()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("Rust", first_line(["rustc", "--version"])),
        ("bgpy", bgpy.__version__),
        (
            "other tools",
            f"{peers}, multiprocessing of Python {platform.python_version()}, "
            f"bgpy {version_in(OLD_PYTHON, 'bgpy')}, "
            f"Ray {version_in(RAY_PYTHON, 'ray')}",
        ),
        ("data", ", ".join(f"{name} {version(name)}" for name in DATA)),
        ("date", datetime.datetime.now(datetime.UTC).date().isoformat()),
        (LOAD, f"{os.getloadavg()[0]:.2f}"),
    ]


def cpu() -> str:
    """Return the model of the CPU."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown"
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return " ".join(found[1].split()) if found else platform.machine()


def numbers(release: str) -> str:
    """Return the version of a kernel without what its builder appended."""
    found = re.match(r"\d+(\.\d+)*", release)
    return found[0] if found else release


def version(package: str) -> str:
    """Return the version of an installed package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def version_in(python: Path, package: str) -> str:
    """Return the version of a package that another interpreter has."""
    program = f"from importlib import metadata; print(metadata.version({package!r}))"
    return first_line([str(python), "-c", program])


def first_line(command: list[str]) -> str:
    """Return the first line that a program prints."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "(not installed)"
    return run.stdout.strip().splitlines()[0]
