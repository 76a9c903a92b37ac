"""Ctrl-C in `bgpy call`: it cancels the call, and says what became of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from .commands import CONSOLE, LIMIT_S
from .working import hall

__all__ = ["hall"]

# The program dies of the signal, which a shell tells as 130 as well.
INTERRUPTED = (130, -signal.SIGINT)

CTRL_C = b"\x03"


def interrupt(process):
    process.send_signal(signal.SIGINT)
    data, words = process.communicate(timeout=LIMIT_S)
    assert process.returncode in INTERRUPTED
    return data, words


def test_a_call_that_runs(each_form, hall):
    process = each_form.spawn(*hall.call(hall.sleeping()))
    hall.wait_begun()
    assert interrupt(process) == ("", "hall: the call was cancelled\n")
    assert hall.ends() == ["cancelled"]


def test_a_call_that_waits(hall):
    hall.client.execute(hall.sleeping())
    hall.wait_begun()
    process = hall.commands.spawn(*hall.call("waits"))
    while hall.client.status()["queue"] == 0:
        pass
    assert interrupt(process) == ("", "hall: the call was cancelled before it began\n")
    assert hall.client.status()["call"] == 1


def test_a_task_that_answers_nevertheless(each_form, hall):
    process = each_form.spawn(*hall.call(hall.sleeping(on_cancel="answer")))
    hall.wait_begun()
    data, words = interrupt(process)
    assert data == '"partly"\n'
    assert words.startswith("hall: the call was not cancelled: it had ended, or ")


def test_a_server_that_ends_with_its_call(hall):
    process = hall.commands.spawn(*hall.call(hall.sleeping(on_cancel="die")))
    hall.wait_begun()
    data, words = interrupt(process)
    assert data == ""
    assert "hall ended before it answered" in words


def test_a_second_one_leaves_at_once(each_form, hall):
    process = each_form.spawn(*hall.call({"stubborn": str(hall.mark)}))
    hall.wait_begun()
    process.send_signal(signal.SIGINT)
    # The task has caught the first.
    hall.wait_told()
    since = time.monotonic()
    data, words = interrupt(process)
    assert time.monotonic() - since < 3
    assert data == ""
    assert words.endswith("hall: the call is being cancelled, and may still run\n")
    assert hall.client.status()["call"] == 1


@pytest.mark.slow
def test_a_task_that_goes_on(hall):
    process = hall.commands.spawn(*hall.call({"stubborn": str(hall.mark)}))
    hall.wait_begun()
    data, words = interrupt(process)
    assert data == ""
    hint, told = words.splitlines()
    assert hint == "Cancelling the call; Ctrl-C leaves at once."
    assert told.startswith("hall: the call still runs after 5s: it has caught ")
    assert told.endswith("`bgpy dump hall` shows what it does")


@pytest.mark.parametrize("columns", [80, 40])
def test_a_bar_is_erased_first(hall, screen, columns):
    shown = screen(*hall.call(hall.training(30, 100, "training")), size=(columns, 5))
    shown.wait_for("30%")
    # The terminal shows the key behind the bar.
    shown.press(CTRL_C)
    assert shown.end() in INTERRUPTED
    assert shown.text.rstrip() == "hall: the call was cancelled"


def test_a_loop_of_a_shell_ends(hall):
    script = f'for _ in 1 2 3; do {CONSOLE[0]} call hall "$1"; done; echo went on'
    shell = subprocess.Popen(
        ["bash", "-c", script, "bash", json.dumps(hall.sleeping())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    hall.wait_begun()
    os.killpg(shell.pid, signal.SIGINT)
    data, _ = shell.communicate(timeout=LIMIT_S)
    assert "went on" not in data
    assert hall.ends() == ["cancelled"]


def test_in_the_background_of_a_shell(hall):
    """A shell without job control has what it runs there ignore Ctrl-C."""
    process = hall.commands.spawn(
        *hall.call(hall.training(1, 2, "x")),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    hall.wait_told()
    process.send_signal(signal.SIGINT)
    hall.pipe.write_text("trained")
    assert process.communicate(timeout=LIMIT_S) == ('"trained"\n', "")
    assert process.returncode == 0


def test_before_the_server_is_there(commands, tmp_path):
    """A restarted server that has no tasks yet is waited for."""
    path, mark = tmp_path / "slow.py", tmp_path / "mark"
    os.mkfifo(tmp_path / "pipe")
    path.write_text(
        "import pathlib\n\ndef init_task():\n"
        f"    pathlib.Path({str(mark)!r}).touch()\n    open({str(tmp_path / 'pipe')!r}).read()\n\n"
        "def exec_task(client_socket, state, args):\n    pass\n"
    )
    starting = commands.spawn("start", path)
    while not mark.exists():
        pass
    process = commands.spawn("call", "slow", "1")
    while "1 queued" not in commands.run("status", "slow")[1]:
        pass
    data, words = interrupt(process)
    assert (data, words) == ("", "slow: the call was cancelled before it began\n")
    commands.run("kill", "slow")
    starting.communicate(timeout=LIMIT_S)
