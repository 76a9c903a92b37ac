"""Puts the native command into a wheel, in place of the script that starts an interpreter.

Usage: python native_command.py WHEEL PROGRAM
"""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def main(wheel: Path, program: Path) -> None:
    """Rewrite the wheel."""
    with tempfile.TemporaryDirectory() as place:
        tool = [sys.executable, "-m", "wheel"]
        subprocess.run(
            [*tool, "unpack", wheel, "--dest", place], check=True, stdout=subprocess.DEVNULL
        )
        (root,) = Path(place).iterdir()
        # Both would be installed at the same path, and the script would win.
        without_scripts(root / f"{root.name}.dist-info" / "entry_points.txt")
        scripts = root / f"{root.name}.data" / "scripts"
        scripts.mkdir(parents=True)
        shutil.copy(program, scripts)
        subprocess.run(
            [*tool, "pack", root, "--dest-dir", wheel.parent], check=True, stdout=subprocess.DEVNULL
        )


def without_scripts(path: Path) -> None:
    """Take the commands off a wheel's entry points."""
    points = configparser.ConfigParser(delimiters="=", interpolation=None)
    points.optionxform = str  # type: ignore[assignment]
    points.read(path)
    points.remove_section("console_scripts")
    with path.open("w") as file:
        points.write(file)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
