"""Commands that go on until they are told to end, end when nobody can see them any more."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from bgpy import connect, servers

from .commands import CONSOLE, LIMIT_S
from .screens import Screen

# As nohup does, which has no terminal for its output otherwise.
DEAF = ["/bin/sh", "-c", 'trap "" HUP; exec "$0" "$@"']


# It has no reason to wait for anything.
AT_ONCE_S = 5

SLOW = """
def init_task():
    with open({pipe!r}) as pipe:
        pipe.read()
    return {{}}
def exec_task(client_socket, state, args):
    pass
def exit_task(client_socket, state, args):
    pass
"""


def until(is_so):
    end = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def pipe(tmp_path):
    """Return the path of a pipe that nobody writes to."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return str(path)


def read(path):
    return path.read_text() if path.exists() else ""


def is_starting():
    return "STARTING" in [info.state for info in servers()]


def commands_that_wait(tasks, pipe, tmp_path):
    """Return what shows on the screen, or is the case, when a command waits."""
    slow = tmp_path / "slow.py"
    slow.write_text(SLOW.format(pipe=pipe))
    looker = connect("camera")
    call = json.dumps({"open": pipe})
    return {
        "top": (["top"], "camera"),
        "logs": (["logs", "camera", "-f"], "listens on"),
        "call": (["call", "camera", call], lambda: looker.status()["busy_s"] is not None),
        "start": (["start", slow, "--name", "slow"], is_starting),
        "run": (["run", tasks, "--name", "shown"], "listens on"),
        "wait": (["wait", "camera", "--for", "exit"], lambda: looker.status()["clients"] == 2),
    }


COMMANDS = ["top", "logs", "call", "start", "wait"]


@pytest.mark.parametrize(
    ("command", "wrap"),
    [("run", []), *((command, wrap) for command in COMMANDS for wrap in ([], DEAF))],
)
def test_a_command_ends_with_its_terminal(camera, tasks, pipe, tmp_path, command, wrap):
    words, sign = commands_that_wait(tasks, pipe, tmp_path)[command]
    screen = Screen([*wrap, *CONSOLE, *map(str, words)], 80, 24)
    try:
        screen.wait_for(sign) if isinstance(sign, str) else until(sign)
        began = time.monotonic()
        assert screen.vanish() in ({129} if wrap else {129, -signal.SIGHUP})
        assert time.monotonic() - began < AT_ONCE_S
    finally:
        screen.close()


@pytest.mark.parametrize("command", ["call", "run"])
def test_who_writes_elsewhere_goes_on_without_the_terminal(camera, tasks, pipe, tmp_path, command):
    words, sign = commands_that_wait(tasks, pipe, tmp_path)[command]
    written = tmp_path / "written"
    elsewhere = ["/bin/sh", "-c", 'trap "" HUP; exec "$0" "$@" > "$WRITTEN" 2>&1']
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WRITTEN", str(written))
        screen = Screen([*elsewhere, *CONSOLE, *map(str, words)], 80, 24)
    try:
        until(lambda: sign in read(written) if isinstance(sign, str) else sign())
        screen.hang_up()
        assert connect("shown" if command == "run" else "camera").status()["state"] != "STOPPING"
        assert screen.process.poll() is None
    finally:
        screen.close()


@pytest.mark.parametrize("restart", ["never", "on-failure"])
def test_a_server_outlives_its_terminal_under_nohup(tasks, restart):
    words = ["run", tasks, "--name", "shown", "--restart", restart]
    screen = Screen([*DEAF, *CONSOLE, *map(str, words)], 80, 24)
    try:
        screen.wait_for("listens on")
        screen.hang_up()
        client = connect("shown")
        assert client.call("still")["calls"] == 1
        assert screen.process.poll() is None
        client.terminate()
        assert screen.process.wait(LIMIT_S) == 0
    finally:
        screen.close()


def test_who_follows_a_log_ends_with_its_reader(camera):
    process = camera.spawn("logs", "camera", "-f")
    assert "listens on" in process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    assert process.wait(LIMIT_S) == 0
