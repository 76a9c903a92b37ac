"""`bgpy restart`: ends a server and starts it again."""

from __future__ import annotations

import pytest
from conftest import kill

from bgpy import connect, servers, start


def test_it_is_another_process_at_the_same_address(each_form, camera):
    client = connect("camera")
    before = client.status()
    (info,) = servers()
    code, data, words = each_form.run("restart", "camera")
    after = connect("camera").status()
    assert (code, data) == (0, "")
    assert words.startswith(f"Restarted camera (process {after['pid']}) at {info.address}.")
    assert after["pid"] != before["pid"]
    assert servers()[0].address == info.address


def test_the_environment_is_read_afresh(commands, tasks, monkeypatch):
    monkeypatch.setenv("LIGHT", "dim")
    assert commands.run("start", tasks, "--env", "FILM=colour")[0] == 0
    monkeypatch.setenv("LIGHT", "bright")
    tasks.write_text(tasks.read_text().replace('"calls": 0', '"calls": 100'))
    assert commands.run("restart", "camera")[0] == 0
    client = connect("camera")
    assert client.call({"variable": "LIGHT"}) == "bright"
    assert client.call({"variable": "FILM"}) == "colour"
    assert client.call(1)["calls"] == 103


def test_one_that_has_ended(camera):
    camera.run("stop", "camera")
    assert camera.run("restart", "camera")[0] == 0
    assert connect("camera").call(1)["calls"] == 1


def test_one_whose_tasks_came_from_a_client(commands):
    server = start((dict, print, print), "camera")
    pid = server.pid
    code, _, words = commands.run("restart", "camera")
    assert code == 1
    assert "file or module of tasks" in words
    assert connect("camera").status()["pid"] == pid
    server.stop()


@pytest.mark.parametrize(("target", "code"), [("nobody", 3), ("127.0.0.1:1", 3)])
def test_nobody(commands, target, code):
    assert commands.run("restart", target)[:2] == (code, "")


def test_one_that_is_started_again_when_it_fails_stays_one(commands, tasks):
    assert commands.run("start", tasks, "--restart", "on-failure")[0] == 0
    (before,) = servers()
    assert commands.run("restart", "camera")[0] == 0
    (after,) = servers()
    assert (after.address, after.generation) == (before.address, 0)
    kill(after.pid)
    assert connect("camera").call(1, timeout=30)["calls"] == 1
