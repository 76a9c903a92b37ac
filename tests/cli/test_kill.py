"""`bgpy kill`: ends a process at once."""

from __future__ import annotations

from contextlib import suppress

import pytest
from api.processes import stand_still
from conftest import kill

from bgpy import connect, servers


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


@pytest.mark.parametrize("port", ["another", "same"])
@pytest.mark.parametrize("by", ["name", "address"])
def test_one_whose_predecessor_is_still_there(commands, tasks, port, by):
    """Neither is killed, and what is said of each kills that one."""
    sound = tasks.read_text()
    left = "import threading; threading.Thread(target=threading.Event().wait).start()"
    tasks.write_text(f"{left}\n{sound}")
    assert commands.run("start", tasks)[0] == 0
    (former,) = servers()
    before = former.pid
    try:
        assert commands.run("stop", "camera", "--grace", "0.3")[0] == 4
        tasks.write_text(sound)
        place = former.address if port == "same" else "127.0.0.1:0"
        assert commands.run("start", tasks, "--bind", place)[0] == 0
        pid = connect("camera").status()["pid"]
        code, _, words = commands.run("kill", "camera" if by == "name" else former.address)
        if port == "another" and by == "address":
            assert (code, words) == (0, f"Killed {former.address} (process {before}).\n")
        else:
            assert code == 1
            assert f"process {before} (STOPPING)" in words
            assert f"process {pid} (READY)" in words
            ways = {"STOPPING" in part: part.split("`")[1] for part in words.split("; ")}
            assert ways[False].startswith("bgpy kill ")
            if port == "same":
                assert ways[True] == f"kill -9 {before}"
                kill(before)
            else:
                assert commands.run(*ways[True].split()[1:])[0] == 0
        assert connect("camera").status()["pid"] == pid
        assert [info.pid for info in servers()] == [pid]
        assert commands.run("kill", "camera") == (0, "", f"Killed camera (process {pid}).\n")
    finally:
        with suppress(ProcessLookupError):
            kill(before)
