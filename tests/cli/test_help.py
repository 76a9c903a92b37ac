"""`--help` of each command."""

from __future__ import annotations

import itertools
import os
import re

import pytest

COMMANDS = [
    *("start", "run", "ps", "top", "status", "call", "methods", "submit", "jobs", "result"),
    *("cancel", "ping", "logs", "dump", "attach", "wait", "stop", "kill", "restart", "doctor"),
    *("systemd", "stubs", "token", "completions", "server", "terminate", "version"),
]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_it_fits_the_terminal(commands, name, width):
    environment = os.environ | {"COLUMNS": str(width)}
    code, text, words = commands.run(*name.split(), "--help", env=environment)
    assert (code, words) == (0, "")
    lines = text.splitlines()
    # An example is shown as it is typed.
    prose = [line for line in lines if not line.startswith("  ") or line.startswith("      ")]
    assert max(map(len, prose)) <= min(width, 100)
    # A paragraph is filled: the next line's first word would not have fitted.
    for line, after in itertools.pairwise(lines):
        if re.match(r"\S.*[a-z,]$", line) and re.match(r"[a-z(]", after):
            assert len(line) + 1 + len(after.split()[0]) > min(width, 100)


def test_none_is_left_out(commands):
    _, text, _ = commands.run("--help")
    listed = text.partition("Commands:\n")[2].partition("\n\n")[0]
    assert re.findall(r"^  (\w+)", listed, re.MULTILINE) == [*COMMANDS, "help"]


@pytest.mark.parametrize("name", [*COMMANDS, "token create"])
def test_it_has_examples(commands, name):
    _, text, _ = commands.run(*name.split(), "--help")
    assert "\nExamples:\n  " in text
    assert commands.run(*name.split(), "-h")[1] == text


def test_its_columns_are_aligned(commands):
    _, text, _ = commands.run("start", "--help", env=os.environ | {"COLUMNS": "100"})
    options = re.findall(r"^ {2}(?:-\w, |    )--[^ ]+(?: <[^>]+>)? +(?=\S)", text, re.MULTILINE)
    assert len(options) > 15
    assert len({len(option) for option in options}) == 1
