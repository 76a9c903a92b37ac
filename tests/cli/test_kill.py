"""`bgpy kill`: ends a process at once."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import pytest
from support.processes import kill, stand_still

from bgpy import NameTaken, connect, servers, start


def test_it_is_gone(each_form, camera):
    pid = connect("camera").status()["pid"]
    assert each_form.run("kill", "camera") == (0, "", f"Killed camera (process {pid}).\n")
    assert each_form.run("kill", "camera")[:2] == (3, "")
    code, data, _ = each_form.run("status", "camera")
    assert code == 3
    assert "signal 9 (SIGKILL): killed by `bgpy kill`" in data
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
    assert "signal 9 (SIGKILL): killed by `bgpy kill`" in data
    assert "restarting the server" not in commands.run("logs", "camera")[1]
    assert commands.run("start", tasks)[0] == 0


HOLDS = {
    "thread": "import threading; threading.Thread(target=threading.Event().wait).start()",
    "hook": "import atexit, threading; atexit.register(threading.Event().wait)",
}


LATE = "threading.Thread(target=lambda: open({!r}, 'rb', buffering=0).read(1)).start()\n"


@pytest.fixture(params=HOLDS)
def former(request, commands, tasks):
    """Stop a server whose process stays; return it, and let the next one have sound tasks."""
    sound = tasks.read_text()
    tasks.write_text(f"{sound}\n{HOLDS[request.param]}\n")
    assert commands.run("start", tasks)[0] == 0
    (former,) = servers()
    assert commands.run("stop", "camera", "--grace", "2")[0] == 4
    tasks.write_text(sound)
    yield former
    with suppress(ProcessLookupError):
        kill(former.pid)


def test_a_name_is_not_free_before_its_process_is_gone(commands, tasks, former):
    for words in (["start", tasks], ["start", tasks, "--exist-ok"], ["run", tasks]):
        code, _, told = commands.run(*words)
        assert code == 1
        assert f"the name 'camera' is not free yet (process {former.pid})" in told
        assert "End it with `bgpy kill camera`" in told
    for exist_ok in (False, True):
        with pytest.raises(NameTaken, match="its process"):
            start(tasks, "camera", exist_ok=exist_ok)
    code, _, told = commands.run("restart", "camera", "--grace", "0.2")
    assert code == 4
    (info,) = servers()
    assert (info.state, info.pid) == ("STOPPING", former.pid)
    # Its address is free, and another name is.
    assert commands.run("start", tasks, "--name", "other", "--bind", former.address)[0] == 0
    assert commands.run("kill", "camera")[0] == 0
    assert commands.run("start", tasks)[0] == 0
    assert connect("camera").status()["pid"] != former.pid


def test_whoever_takes_a_name_waits_for_a_process_that_ends(commands, tasks, gate, runtime):
    sound = tasks.read_text()
    tasks.write_text(f"{sound}\nimport threading\n{LATE.format(gate.leaving)}")
    assert commands.run("start", tasks)[0] == 0
    (former,) = servers()
    assert commands.run("stop", "camera", "--grace", "2")[0] == 4
    tasks.write_text(sound)
    starting = commands.spawn("start", tasks)
    while not (runtime / "camera.name").exists():
        time.sleep(0.01)
    gate.open()
    _, told = starting.communicate(timeout=30)
    assert starting.returncode == 0, told
    assert connect("camera").status()["pid"] != former.pid
    assert [info.state for info in servers(ended=True)] == ["READY", "EXITED"]


@pytest.mark.parametrize("policy", ["never", "on-failure"])
def test_a_successor_is_not_refused_by_its_predecessor(commands, tasks, policy):
    """Neither one that crashes, nor one that is restarted."""
    assert commands.run("start", tasks, "--restart", policy)[0] == 0
    pids = {connect("camera").status()["pid"]}
    for _ in range(3):
        assert commands.run("restart", "camera")[0] == 0
        pids.add(connect("camera").status()["pid"])
        with connect("camera") as client:
            client.terminate()
        assert commands.run("start", tasks, "--restart", policy)[0] == 0
        pid = connect("camera").status()["pid"]
        pids.add(pid)
        if policy == "on-failure":
            kill(pid)
            pids.add(connect("camera").status()["pid"])
    assert len(pids) == (7 if policy == "never" else 10)


@pytest.mark.parametrize("port", ["another", "same"])
def test_one_of_the_name_of_another_one(commands, tasks, tmp_path, port):
    """One whose task runs has given up its name; what is said of each kills that one."""
    assert commands.run("start", tasks)[0] == 0
    (former,) = servers()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    connect("camera").execute({"open": str(pipe)})
    assert commands.run("stop", "camera", "--grace", "0.2")[0] == 4
    place = former.address if port == "same" else "127.0.0.1:0"
    assert commands.run("start", tasks, "--bind", place)[0] == 0
    pid = connect("camera").status()["pid"]
    code, _, words = commands.run("kill", "camera")
    assert code == 1
    assert f"process {former.pid} (STOPPING)" in words
    assert f"process {pid} (READY)" in words
    ways = {"STOPPING" in part: part.split("`")[1].split() for part in words.split("; ")}
    assert {way[:2] for way in map(tuple, ways.values())} == {("bgpy", "kill")}
    assert commands.run(*ways[True][1:])[0] == 0
    assert [info.pid for info in servers()] == [pid]
    assert commands.run(*ways[False][1:])[0] == 0
    assert not servers()


@pytest.mark.parametrize("port", ["another", "same"])
def test_one_at_whose_address_another_one_is(commands, tasks, former, port):
    """Neither is killed, and what is said of each kills that one."""
    before = former.pid
    place = former.address if port == "same" else "127.0.0.1:0"
    assert commands.run("start", tasks, "--name", "other", "--bind", place)[0] == 0
    pid = connect("other").status()["pid"]
    code, _, words = commands.run("kill", former.address)
    if port == "another":
        assert (code, words) == (0, f"Killed {former.address} (process {before}).\n")
    else:
        assert code == 1
        assert f"process {before} (STOPPING)" in words
        assert f"process {pid} (READY)" in words
        ways = {"STOPPING" in part: part.split("`")[1] for part in words.split("; ")}
        assert ways == {True: "bgpy kill camera", False: "bgpy kill other"}
        assert commands.run(*ways[True].split()[1:])[0] == 0
    assert connect("other").status()["pid"] == pid
    assert [info.pid for info in servers()] == [pid]
    assert commands.run("kill", "other") == (0, "", f"Killed other (process {pid}).\n")
