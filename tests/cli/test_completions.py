"""`bgpy completions`: what a shell can complete."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from .commands import CONSOLE


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(each_form, shell):
    code, data, words = each_form.run("completions", shell)
    assert (code, words) == (0, "")
    assert "BGPY_COMPLETE" in data


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_and_servers(camera, tmp_path):
    (program,) = CONSOLE
    script = f"""
        PATH={os.path.dirname(program)}:$PATH
        source <(bgpy completions bash)
        complete_line() {{
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=999 COMP_TYPE=9
            local function=$(complete -p bgpy | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            $function bgpy "${{@: -1}}" "${{@: -2:1}}"
            printf '%s\\n' "${{COMPREPLY[@]}}"
        }}
        complete_line bgpy sto
        complete_line bgpy status cam
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["stop", "camera"], done.stderr
