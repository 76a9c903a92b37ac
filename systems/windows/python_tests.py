"""Installs the wheel for Windows and runs the Python tests on Wine.

Usage: python python_tests.py [PYTEST ARGUMENTS]
"""

from __future__ import annotations

import shutil
import sys
import zipfile

import wine
from place import PACKAGES, PYTHON, ROOT, WHEELS, fail, windows_path

TESTS = ["tests/api", "tests/cli", "tests/compat", "tests/chaos", "tests/examples"]


def main(arguments: list[str]) -> None:
    """Install the wheel, and run the tests in one process of pytest."""
    install()
    is_given = any(not word.startswith("-") for word in arguments)
    options = ["-P", "-m", "pytest", "-p", "unavailable", "-p", "no:cacheprovider"]
    environment = {
        # The plugin that knows which tests cannot run there.
        "PYTHONPATH": windows_path(ROOT / "systems/windows"),
        "PYTHONUTF8": "1",
    }
    what = arguments if is_given else [*TESTS, *arguments]
    code = wine.run(PYTHON / "python.exe", [*options, *what], ROOT, environment)
    wine.end_all()
    if code != 0:
        fail("Python tests failed on Wine")


def install() -> None:
    """Put the wheel where an installer would."""
    wheels = list(WHEELS.glob("*-win_amd64.whl"))
    if len(wheels) != 1:
        fail("there is no wheel for Windows: run `make wheel-windows`")
    for old in PACKAGES.glob("bgpy*"):
        shutil.rmtree(old)
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(PACKAGES)
    (data,) = PACKAGES.glob("bgpy-*.data")
    # Beside the interpreter, as in a virtual environment.
    shutil.copy(data / "scripts/bgpy.exe", PYTHON)
    shutil.rmtree(data)


if __name__ == "__main__":
    main(sys.argv[1:])
