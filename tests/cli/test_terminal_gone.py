"""Commands that go on until they are told to end, end when nobody can see them any more."""

from __future__ import annotations

import signal

import pytest

from .commands import CONSOLE, LIMIT_S
from .screens import Screen

# As nohup does, which has no terminal for its output otherwise.
DEAF = ["/bin/sh", "-c", 'trap "" HUP; exec "$0" "$@"']


@pytest.mark.parametrize("wrap", [[], DEAF], ids=["", "nohup"])
@pytest.mark.parametrize("command", [["top"], ["logs", "camera", "-f"]], ids=["top", "logs"])
def test_a_command_ends_with_its_terminal(camera, command, wrap):
    screen = Screen([*wrap, *CONSOLE, *command], 80, 24)
    try:
        screen.wait_for("camera" if command == ["top"] else "listens on")
        assert screen.vanish() in ({0} if wrap else {0, -signal.SIGHUP})
    finally:
        screen.close()


def test_who_follows_a_log_ends_with_its_reader(camera):
    process = camera.spawn("logs", "camera", "-f")
    assert "listens on" in process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    assert process.wait(LIMIT_S) == 0
