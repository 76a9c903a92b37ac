"""Runs the Rust tests of bgpy-proto and bgpy on Wine.

Usage: python rust_tests.py [FILTER]
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import wine
from place import CARGO, ROOT, cargo_environment, fail
from prepare import make_prng
from unavailable import reasons

CRATES = ["bgpy-proto", "bgpy"]

# Seconds for one test program.
LIMIT_S = 900


def main(arguments: list[str]) -> None:
    """Build the test programs, and run one after the other."""
    failed = []
    for program, package in test_programs():
        make_prng(program.parent)
        print(f"\n{package}: {program.stem.rpartition('-')[0]}", flush=True)
        skipped = [word for name in reasons("rust") for word in ("--skip", name)]
        directory = ROOT / "crates" / package
        if wine.run(program, [*arguments, *skipped], directory, limit_s=LIMIT_S) != 0:
            failed.append(program.name)
    if failed:
        fail(f"Rust tests failed on Wine: {', '.join(failed)}")


def test_programs() -> list[tuple[Path, str]]:
    """Build the test programs for Windows, and return them with their packages."""
    packages = [word for crate in CRATES for word in ("-p", crate)]
    command = [str(CARGO), "test", "--locked", *packages, "--lib", "--tests", "--no-run"]
    done = subprocess.run(
        [*command, "--message-format=json-render-diagnostics"],
        cwd=ROOT,
        env=cargo_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode != 0:
        fail(f"the Rust tests for Windows were not built: {' '.join(command)} failed")
    found = []
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message.get("profile", {}).get("test"):
            package = Path(message["manifest_path"]).parent.name
            found.append((Path(message["executable"]), package))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
