"""Runs a program for Windows on Wine."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from place import windows_path, wine_environment

# How long what it printed last may take to be read.
LAST_WORDS_S = 2


def run(
    program: Path,
    arguments: list[str],
    directory: Path,
    environment: dict[str, str] | None = None,
    limit_s: float | None = None,
) -> int:
    """Run a program to its end, and return its exit code.

    All its standard streams are pipes, and stay open: with files, Python does not start on Wine.
    Nor does the end of the output tell the end of the program: on Wine, background processes keep
    the standard error of their starter, which on Windows they do not.
    """
    process = subprocess.Popen(
        ["wine64", windows_path(program), *arguments],
        cwd=directory,
        env=wine_environment() | (environment or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    readers = []
    for stream, target in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
        assert stream is not None
        reader = threading.Thread(target=pass_on, args=(stream, target.buffer), daemon=True)
        reader.start()
        readers.append(reader)
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        print(f"\n{program.name} did not end within {limit_s} s", file=sys.stderr)
        return 1
    for reader in readers:
        reader.join(LAST_WORDS_S)
    return code


def pass_on(stream: BinaryIO, target: BinaryIO) -> None:
    """Copy what comes until the end."""
    while some := stream.read1(65536):  # type: ignore[attr-defined]
        target.write(some)
        target.flush()


def end_all() -> None:
    """End every program that still runs on Wine in this prefix."""
    subprocess.run(["wineserver", "-k"], env=wine_environment(), check=False)
