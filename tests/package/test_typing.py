"""What type checkers make of right and wrong uses of the package, in strict mode."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "typing"
FILES = [HERE / "right.py", HERE / "wrong.py"]
LIMIT_S = 300


def run(*command: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=HERE,
    )
    assert done.stdout, done.stderr
    return done.stdout


def by_mypy(_: Path) -> set[tuple[str, int]]:
    # Without the project's settings, as a user has it.
    said = run("mypy", "--strict", "--config-file=", "--no-error-summary", "-O", "json", *FILES)
    found = map(json.loads, said.splitlines())
    return {(Path(it["file"]).name, it["line"]) for it in found if it["severity"] == "error"}


def by_pyright(directory: Path) -> set[tuple[str, int]]:
    settings = {"include": [*map(str, FILES)], "typeCheckingMode": "strict"}
    (directory / "pyrightconfig.json").write_text(json.dumps(settings))
    said = run("basedpyright", "--outputjson", "-p", directory, "--pythonpath", sys.executable)
    found = json.loads(said)["generalDiagnostics"]
    return {
        (Path(it["file"]).name, it["range"]["start"]["line"] + 1)
        for it in found
        if it["severity"] == "error"
    }


@pytest.mark.slow
@pytest.mark.parametrize("check", [by_mypy, by_pyright])
def test_right_uses_are_accepted_and_wrong_ones_refused(check, tmp_path):
    lines = FILES[1].read_text().splitlines()
    wrong = {("wrong.py", place) for place, line in enumerate(lines, 1) if "  # error" in line}
    assert check(tmp_path) == wrong
