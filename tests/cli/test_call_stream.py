"""`bgpy call --stream`: every response of a task, as it comes."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time

import pytest

from .commands import CONSOLE, LIMIT_S
from .screens import Screen
from .working import hall, wait_until

__all__ = ["hall"]

# What a server may send ahead, and what a pipe holds.
AHEAD_BYTES = (1 << 20) + (1 << 16)


@pytest.fixture
def shell_on_screen():
    """Return a function that runs the command on a terminal, with a redirection behind it."""
    screens = []

    def shell_on_screen(arguments, rest):
        line = f"{shlex.join([*CONSOLE, *arguments])} {rest}"
        screens.append(Screen(["/bin/sh", "-c", line], 60, 5))
        return screens[-1]

    yield shell_on_screen
    for shown in screens:
        shown.close()


def stream(hall, argument, *options):
    return hall.call(argument, "--stream", *options)


def test_a_line_for_each(each_form, hall):
    values = [1, None, {"é": [0.5]}, "two\nlines", []]
    command = stream(hall, {"count": values, "fail": False})
    code, data, words = each_form.run(*command)
    assert (code, words) == (0, "")
    assert [json.loads(line) for line in data.splitlines()] == values
    assert each_form.run(*command, "--repr")[1].splitlines()[2] == "{'é': [0.5]}"
    assert each_form.run(*stream(hall, {"count": [], "fail": False})) == (0, "", "")


def test_as_they_come(hall):
    process = hall.commands.spawn(*stream(hall, {"one_then_wait": str(hall.pipe)}))
    assert process.stdout.readline() == '"first"\n'
    hall.pipe.write_text("second")
    assert process.communicate(timeout=LIMIT_S) == ('"second"\n', "")
    assert process.returncode == 0


def test_responses_that_are_errors(hall):
    code, data, words = hall.commands.run(*stream(hall, {"count": [1, 2], "fail": True}))
    assert (code, data) == (1, "1\n2\n")
    assert words == "error: the task responded with an error\n"


def test_a_task_that_raises(hall):
    code, data, words = hall.commands.run(*stream(hall, {"raise_after": ["once", "upon"]}))
    assert (code, data) == (1, '"once"\n"upon"\n')
    assert words.endswith("error: hall: ValueError: no more words\n")


def test_head_cancels_the_call(hall):
    argument = json.dumps({"flood": "word"})
    script = f"{CONSOLE[0]} call hall --stream '{argument}' | head -n 3"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '"word"\n' * 3, "")
    assert hall.ends() == ["flood"]


def test_a_reader_that_leaves_while_nothing_comes(hall):
    process = hall.commands.spawn(*stream(hall, {"one_then_wait": str(hall.pipe)}))
    assert process.stdout.readline() == '"first"\n'
    process.stdout.close()
    assert process.wait(LIMIT_S) == 0
    assert hall.ends() == ["stream"]


def test_a_reader_that_does_not_read_holds_the_task_up(hall):
    text = "x" * 10_000
    process = hall.commands.spawn(*stream(hall, {"flood": text}))

    def told():
        progress = hall.client.status()["progress"]
        return progress["done"] if progress else 0

    def stands():
        before = told()
        time.sleep(0.3)
        return before == told() > 0

    wait_until(stands)
    # One that is being read, one that waits, and two for the edges.
    assert told() * len(text) <= AHEAD_BYTES + 4 * len(text)
    lines = [process.stdout.readline() for _ in range(500)]
    assert set(map(len, lines)) == {len(text) + 3}
    process.kill()
    assert hall.ends() == ["flood"]


def test_a_time_limit_cancels_it(hall):
    process = hall.commands.spawn(
        *stream(hall, {"one_then_wait": str(hall.pipe)}, "--timeout", "0.5")
    )
    data, words = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, data) == (4, '"first"\n')
    assert words == "error: the task of hall did not end within 0.5s: it is cancelled\n"
    assert hall.ends() == ["stream"]


def test_ctrl_c_cancels_it(each_form, hall):
    process = each_form.spawn(*stream(hall, {"one_then_wait": str(hall.pipe)}))
    assert process.stdout.readline() == '"first"\n'
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=LIMIT_S) == ("", "hall: the call was cancelled\n")
    assert process.returncode in (130, -signal.SIGINT)
    assert hall.ends() == ["stream"]


def test_ctrl_c_twice_ends_a_command_that_cannot_print(hall):
    process = hall.commands.spawn(*stream(hall, {"flood": "x" * 100_000}))
    hall.wait_told()
    # It is blocked, since nobody reads.
    wait_until(lambda: "pipe" in wait_channel(process.pid))
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT_S) == -signal.SIGINT
    assert hall.ends() == ["flood"]


def wait_channel(pid):
    with open(f"/proc/{pid}/wchan") as channel:
        return channel.read()


@pytest.fixture
def told(hall):
    """Return the argument of a call that responds, tells progress, and waits for the pipe."""
    return {"respond": 1, "train": (30, 100, "training"), "then": str(hall.pipe)}


def test_progress_and_responses_on_one_terminal(hall, told, screen):
    shown = screen(*stream(hall, told), size=(60, 5))
    first, second = shown.wait_for("30%").splitlines()[:2]
    assert first == "1"
    assert second.endswith("training 30 of 100 (30%)")
    hall.pipe.write_text("trained")
    assert shown.end() == 0
    assert shown.text.split() == ["1", '"trained"']


def test_no_progress_beside_another_program_on_the_terminal(hall, told, shell_on_screen):
    shown = shell_on_screen(stream(hall, told), "| cat")
    hall.wait_told()
    shown.wait_for("1")
    hall.pipe.write_text("trained")
    assert shown.end() == 0
    assert b"30%" not in shown.written
    assert shown.text.split() == ["1", '"trained"']


def test_progress_while_a_file_is_written(hall, told, shell_on_screen, tmp_path):
    shown = shell_on_screen(stream(hall, told), f"> {tmp_path / 'answers'}")
    shown.wait_for("training 30 of 100 (30%)")
    hall.pipe.write_text("trained")
    assert shown.end() == 0
    assert shown.text.split() == []
    assert (tmp_path / "answers").read_text() == '1\n"trained"\n'


def test_it_waits(hall):
    code, _, words = hall.commands.run(*stream(hall, 1, "--no-wait"))
    assert (code, "--no-wait" in words) == (2, True)


@pytest.mark.parametrize("option", ["--no-pickle", "--text"])
def test_with_other_options(hall, option):
    code, data, _ = hall.commands.run("call", "hall", '"x"', "--stream", option)
    assert (code, json.loads(data)) == (0, "x" if option == "--no-pickle" else '"x"')
