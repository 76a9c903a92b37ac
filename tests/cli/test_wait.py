"""`bgpy wait`: returns when a server is where it is wanted."""

from __future__ import annotations

import os

import pytest

from bgpy import connect


@pytest.mark.parametrize("state", ["ready", "idle"])
def test_it_is_there_already(each_form, camera, state):
    assert each_form.run("wait", "camera", "--for", state) == (0, "", "")


def test_ready_also_for_one_that_is_still_to_come(commands, tasks):
    waiting = commands.spawn("wait", "camera", "--for", "ready", "--timeout", "30")
    assert commands.run("start", tasks)[0] == 0
    assert waiting.wait(30) == 0


def test_one_that_does_not_come_is_named(camera):
    waiting = camera.spawn("wait", "camra", "--for", "ready", "--timeout", "1.5")
    assert waiting.communicate(timeout=30)[1].splitlines() == [
        "Waiting: no server named 'camra' runs here: did you mean 'camera'?",
        "error: camra was not ready within 1.5s",
    ]
    assert waiting.returncode == 4


def test_idle(camera, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    connect("camera").execute({"open": str(pipe)})
    with pipe.open("w"):
        assert camera.run("wait", "camera", "--for", "ready")[0] == 0
        assert camera.run("wait", "camera", "--for", "idle", "--timeout", "0.2")[0] == 4
        waiting = camera.spawn("wait", "camera", "--for", "idle")
    assert waiting.wait(30) == 0


def test_exit(camera):
    waiting = camera.spawn("wait", "camera", "--for", "exit")
    while connect("camera").status()["clients"] < 2:
        pass
    connect("camera").terminate()
    assert waiting.wait(30) == 0
    assert camera.run("wait", "camera", "--for", "exit")[0] == 0


def test_in_vain(commands):
    assert commands.run("wait", "camera", "--for", "ready", "--timeout", "0.2")[0] == 4
    assert commands.run("wait", "camera", "--for", "idle")[0] == 3
