"""`bgpy kill`: ends a process at once."""

from __future__ import annotations

from api.processes import stand_still

from bgpy import connect


def test_it_is_gone(each_form, camera):
    pid = connect("camera").status()["pid"]
    assert each_form.run("kill", "camera") == (0, "", f"Killed camera (process {pid}).\n")
    assert each_form.run("kill", "camera")[:2] == (3, "")
    code, data, _ = each_form.run("status", "camera")
    assert code == 3
    assert "signal 9: killed by `bgpy kill`" in data
    assert "leaving" not in each_form.run("logs", "camera")[1]


def test_one_that_does_not_answer(camera):
    pid = connect("camera").status()["pid"]
    stand_still(pid)
    assert camera.run("kill", "camera", "--timeout", "0.2")[0] == 0
    assert camera.run("ps", "-o", "json")[1] == "[]\n"


def test_nobody(commands):
    assert commands.run("kill", "camera")[:2] == (3, "")


def test_one_that_would_be_started_again(commands, tasks, runtime):
    assert commands.run("start", tasks, "--restart", "on-failure")[0] == 0
    pid = connect("camera").status()["pid"]
    assert commands.run("kill", "camera") == (0, "", f"Killed camera (process {pid}).\n")
    code, data, _ = commands.run("status", "camera")
    assert code == 3
    assert "signal 9: killed by `bgpy kill`" in data
    assert "starting it again" not in commands.run("logs", "camera")[1]
    assert commands.run("start", tasks)[0] == 0
