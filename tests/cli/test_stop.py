"""`bgpy stop`: ends servers in good order."""

from __future__ import annotations

import os

import pytest

from bgpy import connect


def test_it_ends_and_is_remembered(each_form, camera):
    assert each_form.run("stop", "camera") == (0, "", "Stopped camera.\n")
    assert each_form.run("stop", "camera")[:2] == (3, "")
    assert "leaving" in each_form.run("logs", "camera")[1]


def test_all(commands, tasks, start):
    start()
    for name in ("one", "two"):
        assert commands.run("start", tasks, "--name", name)[0] == 0
    code, data, words = commands.run("stop", "--all")
    assert (code, data) == (0, "")
    assert len(words.splitlines()) == 3
    assert commands.run("ps", "-o", "json")[1] == "[]\n"
    assert commands.run("stop", "--all") == (0, "", "")


@pytest.fixture
def busy(camera, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    connect("camera").execute({"open": str(pipe)})
    with pipe.open("w"):
        yield camera


def test_a_task_that_takes_longer_than_the_grace(busy):
    code, data, words = busy.run("stop", "camera", "--grace", "0.2")
    assert (code, data) == (4, "")
    assert "a task still runs" in words
    assert "--force" in words


def test_force(busy):
    pid = connect("camera").status()["pid"]
    code, data, words = busy.run("stop", "camera", "--grace", "0.2", "--force")
    assert (code, data, words) == (0, "", f"Killed camera (process {pid}).\n")
    data = busy.run("status", "camera")[1]
    assert "FAILED" in data
    assert "signal 9: killed by `bgpy stop --force`" in data


@pytest.mark.parametrize(
    ("end", "told"), [("os.abort", "signal 6"), ("os._exit, 5", "exit code 5")]
)
@pytest.mark.parametrize("restart", ["never", "on-failure"])
def test_a_process_that_fails_after_the_end_of_its_server(commands, tasks, end, told, restart):
    tasks.write_text(f"import atexit, os\natexit.register({end})\n{tasks.read_text()}")
    assert commands.run("start", tasks, "--restart", restart)[0] == 0
    code, data, words = commands.run("stop", "camera")
    assert (code, data) == (1, "")
    assert f"{told}: its process failed after the server had ended" in words
    assert told in commands.run("status", "camera")[1]


@pytest.mark.parametrize("arguments", [[], ["camera", "--all"], ["camera", "--grace", "-1"]])
def test_arguments_that_make_no_sense(commands, arguments):
    assert commands.run("stop", *arguments)[:2] == (2, "")
