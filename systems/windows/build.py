"""Builds the wheel for Windows, with the native command in it, into .systems/windows/dist.

Usage: python build.py [--debug]

Run by the interpreter of .venv, which has maturin.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from place import BUILD, PYTHON_VERSION, ROOT, TARGET, WHEELS, cargo_environment, fail


def main(options: list[str]) -> None:
    """Build the command and the wheel, and put one into the other."""
    profile = "debug" if "--debug" in options else "release"
    flags = ["--release"] if profile == "release" else []
    build([cargo(), "build", *flags, "--locked", "-p", "bgpy-cli"])
    for old in WHEELS.glob("*.whl"):
        old.unlink()
    maturin = Path(sys.executable).with_name("maturin")
    interpreter = ["--interpreter", f"python{PYTHON_VERSION}"]
    target = ["--target", TARGET, *interpreter, "--out", str(WHEELS)]
    build([str(maturin), "build", *flags, "--locked", *target])
    (wheel,) = WHEELS.glob("*.whl")
    program = BUILD / TARGET / profile / "bgpy.exe"
    tool = ROOT / "packaging/native_command.py"
    build([sys.executable, str(tool), str(wheel), str(program)])
    print(f"{wheel.relative_to(ROOT)}: {wheel.stat().st_size / 1e6:.1f} MB")


def cargo() -> str:
    """Return the program that builds."""
    return cargo_environment()["CARGO"]


def build(command: list[str]) -> None:
    """Run a command in the environment for Windows."""
    if subprocess.run(command, cwd=ROOT, env=cargo_environment()).returncode != 0:
        fail(f"the wheel for Windows was not built: {' '.join(command)} failed")


if __name__ == "__main__":
    main(sys.argv[1:])
