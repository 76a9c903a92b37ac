"""Installs the wheel for Windows and runs the Python tests on Wine.

Usage: python python_tests.py [FILE ...] [-- PYTEST OPTIONS]

Each file has a pytest of its own: on Windows, a test that takes too long can only be ended together
with its pytest.
"""

from __future__ import annotations

import shutil
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import wine
from place import PACKAGES, PLACE, PYTHON, ROOT, WHEELS, fail, windows_path
from unavailable import reasons

DIRECTORIES = ["tests/api", "tests/cli", "tests/compat", "tests/chaos", "tests/examples"]
REPORT = PLACE / "report.xml"

# Seconds for one test, and for one file.
TEST_LIMIT_S = 120
FILE_LIMIT_S = 1800


@dataclass
class Results:
    """What became of the tests."""

    passed: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)

    def add(self, file: str) -> None:
        """Add the results of one file, whose pytest has ended."""
        if not REPORT.exists():
            self.failed.append(f"{file}: its pytest did not reach its end")
            return
        for case in ElementTree.parse(REPORT).iter("testcase"):
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                self.failed.append(f"{file}::{case.get('name')}")
            elif "skipped" in kinds:
                self.skipped += 1
            else:
                self.passed += 1


def main(arguments: list[str]) -> None:
    """Install the wheel, run the files one after the other, and tell what failed."""
    install()
    files, options = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        files, options = arguments[:at], arguments[at + 1 :]
    results = Results()
    for file in files or sorted(all_files()):
        REPORT.unlink(missing_ok=True)
        run(file, options)
        wine.end_all()
        results.add(file)
    for name in results.failed:
        print(f"FAILED {name}")
    print(f"{results.passed} passed, {len(results.failed)} failed, {results.skipped} skipped")
    if results.failed:
        fail("Python tests failed on Wine")


def all_files() -> list[str]:
    """Return the files of tests that can run there."""
    found = [path for place in DIRECTORIES for path in (ROOT / place).glob("test_*.py")]
    names = [path.relative_to(ROOT).as_posix() for path in found]
    return [name for name in names if name not in reasons("python")]


def run(file: str, options: list[str]) -> None:
    """Run the tests of a file."""
    words = ["-P", "-m", "pytest", "-q", "-p", "unavailable", "-p", "no:cacheprovider"]
    words += [f"--timeout={TEST_LIMIT_S}", f"--junitxml={windows_path(REPORT)}", file, *options]
    environment = {
        # The plugin that knows which tests cannot run there.
        "PYTHONPATH": windows_path(ROOT / "systems/windows"),
        "PYTHONUTF8": "1",
    }
    wine.run(PYTHON / "python.exe", words, ROOT, environment, FILE_LIMIT_S)


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
    main([str(Path(word)) if word.endswith(".py") else word for word in sys.argv[1:]])
