"""`bgpy completions`: what a shell can complete."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time

import pytest

import bgpy

from .commands import CONSOLE
from .serving import shop

__all__ = ["shop"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(each_form, shell):
    code, data, words = each_form.run("completions", shell)
    assert (code, words) == (0, "")
    assert "BGPY_COMPLETE" in data


def in_bash(*lines):
    """Return what bash completes lines of words to, a list for each."""
    (program,) = CONSOLE
    script = f"""
        PATH={os.path.dirname(program)}:$PATH
        source <(bgpy completions bash)
        complete_line() {{
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=999 COMP_TYPE=9
            local function=$(complete -p bgpy | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            $function bgpy "${{@: -1}}" "${{@: -2:1}}"
            echo "${{COMPREPLY[@]}}"
        }}
    """
    script += "".join(f"complete_line {shlex.join(line)}\n" for line in lines)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    # Without the options of bash for them, and without a word of the command.
    words = [line for line in done.stderr.splitlines() if "compopt" not in line]
    assert words == []
    return [line.split() for line in done.stdout.splitlines()]


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


@needs_bash
def test_bash_completes_commands_and_servers(camera):
    completed = in_bash(["bgpy", "sto"], ["bgpy", "status", "cam"])
    assert completed == [["stop"], ["camera"]]


@needs_bash
def test_bash_completes_methods_and_parameters(shop):
    call = ["bgpy", "call", "counter"]
    port = bgpy.servers()[0]["address"].rpartition(":")[2]
    completed = in_bash(
        ["bgpy", "methods", "coun"],
        [*call, "in"],
        [*call, "--timeout", "5", "so"],
        [*call, "increase", ""],
        [*call, "increase", "by", "=", "1", ""],
        [*call, "increase", "5", "no"],
        [*call, "nothing", ""],
        ["bgpy", "call", "127.0.0.1", ":", port, "pe"],
        ["bgpy", "call", "nobody", "in"],
    )
    expected = ["counter"], ["increase"], ["soon"], ["by=", "note="], ["note="], ["note="]
    options = {"--timeout", "--token-file"}
    found = [[word for word in words if not word.startswith("-")] for words in completed]
    assert found == [*map(list, expected), [], ["peek"], []], completed
    assert options.isdisjoint(completed[1])


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return the name of a file with classes in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes.py").write_text(
        "raise SystemExit('never run')\n\nclass Circle:\n    class Inner: ...\n\n"
        "class Cube(Circle):\n    pass\n\nclass Square: ...\n\nclass _Hidden: ...\n"
    )
    return "shapes.py"


@needs_bash
def test_bash_completes_classes(module):
    completed = in_bash(
        ["bgpy", "start", module, ":"],
        ["bgpy", "start", module, ":", "C"],
        ["bgpy", "run", "--name", "x", module, ":", "Sq"],
        ["bgpy", "server", "127.0.0.1", "0", "-i", module, ":", "Sq"],
        ["bgpy", "start", "none.py", ":", "C"],
        ["bgpy", "start", "sha"],
        ["bgpy", "start", module],
    )
    whole = [f"{module}:{name}" for name in ("Circle", "Cube", "Square")]
    assert completed == [
        ["Circle", "Cube", "Square"],
        ["Circle", "Cube"],
        ["Square"],
        ["Square"],
        [],
        [module],
        [module, *whole],
    ]


@needs_bash
def test_the_script_for_bash_keeps_a_colon_as_the_last_word(commands):
    script = commands.run("completions", "bash")[1]
    assert '[[ "${words[COMP_CWORD]}" == ":" ]] || words[COMP_CWORD]="$2"' in script


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_complete_classes(module, shell):
    (program,) = CONSOLE
    told = {**os.environ, "BGPY_COMPLETE": shell, "_CLAP_COMPLETE_INDEX": "2"}
    command = [program, "--", "bgpy", "start", f"{module}:C"]
    done = subprocess.run(command, capture_output=True, text=True, env=told, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert [name in done.stdout for name in ("Circle", "Cube", "Square")] == [True, True, False]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_also_get_signatures(shop, shell):
    (program,) = CONSOLE
    words = ["bgpy", "call", "counter", "in"]
    told = {**os.environ, "BGPY_COMPLETE": shell, "_CLAP_COMPLETE_INDEX": "3"}
    command = [program, "--", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=told, timeout=30)
    assert done.stderr == ""
    assert "increase" in done.stdout
    assert "by: int" in done.stdout


def test_a_server_that_hangs_completes_nothing_soon(shop):
    (program,) = CONSOLE
    told = {**os.environ, "BGPY_COMPLETE": "fish"}
    pid = bgpy.servers()[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        command = [program, "--", "bgpy", "call", "counter", "in"]
        done = subprocess.run(command, capture_output=True, text=True, env=told, timeout=30)
        assert time.monotonic() - start < 5
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
