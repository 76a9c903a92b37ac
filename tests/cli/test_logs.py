"""`bgpy logs`: what a server has logged."""

from __future__ import annotations

import json
import os

import pytest
from conftest import kill

from bgpy import connect, servers


@pytest.fixture
def client(camera):
    client = connect("camera")
    for number in range(5):
        client.call(number)
    return client


def test_the_last_lines(each_form, client):
    code, data, words = each_form.run("logs", "camera", "-n", 2)
    assert (code, data, words) == (0, "call 4 3\ncall 5 4\n", "")
    assert each_form.run("logs", "camera", "-n", 0)[1] == ""
    everything = each_form.run("logs", "camera")[1]
    assert "listens on" in everything.splitlines()[0]
    assert each_form.run("logs", "camera", "--since", "1h")[1] == everything
    assert each_form.run("logs", "camera", "--since", "2999-01-01T00:00:00Z")[1] == ""


def test_what_comes_until_the_server_ends(camera, client):
    follower = camera.spawn("logs", "camera", "-f", "-n", 1)
    assert follower.stdout.readline() == "call 5 4\n"
    client.call("more")
    assert follower.stdout.readline() == "call 6 more\n"
    client.terminate()
    rest, words = follower.communicate(timeout=30)
    assert (follower.returncode, words) == (0, "")
    assert "leaving\n" in rest
    assert rest.endswith("ended\n")


def test_after_the_end(camera, client):
    camera.run("stop", "camera")
    assert camera.run("logs", "camera", "-n", 1)[1].endswith("ended\n")
    assert camera.run("logs", "camera", "-f", "-n", 1)[1].endswith("ended\n")


def test_a_reader_that_has_gone(camera, client):
    follower = camera.spawn("logs", "camera", "-f")
    follower.stdout.readline()
    follower.stdout.close()
    client.call("nobody reads this")
    assert follower.wait(30) == 0


def test_nobody(commands):
    assert commands.run("logs", "camera")[:2] == (3, "")
    assert commands.run("logs", "camera", "--since", "soon")[:2] == (2, "")


NOISY = """
import os
import time

LINE = b"%08d " + b"." * 1014 + b"\\n"


def init_task():
    return {}


def exec_task(client_socket, state, args):
    # What print does, at a pace that it does not have.
    began = time.perf_counter()
    for first in range(0, args["lines"], 1024):
        lines = b"".join(LINE % number for number in range(first, first + 1024))
        os.write(1, lines)
        written = (first + 1024) * 1024
        time.sleep(max(0, began + written / args["bytes_per_s"] - time.perf_counter()))


def exit_task(client_socket, state, args):
    pass
"""


def test_a_writer_of_50_mb_a_second_loses_no_line_at_a_rotation(commands, tmp_path, runtime):
    tasks = tmp_path / "noisy.py"
    tasks.write_text(NOISY)
    assert commands.run("start", tasks)[0] == 0
    follower = commands.spawn("logs", "noisy", "-f", "-n", 1, text=False)
    assert b"taking the tasks" in follower.stdout.readline()
    count = 200 * 1024
    connect("noisy").execute({"lines": count, "bytes_per_s": 50e6})
    for number in range(count):
        line = follower.stdout.readline()
        assert line[:9] == b"%08d " % number
        assert len(line) == 1024
    connect("noisy").terminate()
    rest, words = follower.communicate(timeout=30)
    assert (follower.returncode, words) == (0, b"")
    assert rest.endswith(b"ended\n")
    logs = sorted(path.name for path in runtime.glob("*.log*"))
    assert [name.partition(".")[2] for name in logs] == [
        "log",
        *(f"log.{age}" for age in range(1, 6)),
    ]


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_it_is_followed_over_a_restart(commands, tasks, tmp_path, monkeypatch, where):
    assert commands.run("start", tasks, "--restart", "on-failure")[0] == 0
    (info,) = servers()
    target: list[object] = ["camera"]
    if where == "elsewhere":
        (entry,) = info.log_file.parent.glob("*.json")
        token = tmp_path / "token"
        token.write_text(json.loads(entry.read_text())["token"])
        target = [info.address, "--token-file", token]
        there = {"env": os.environ | {"BGPY_RUNTIME_DIR": str(tmp_path / "elsewhere")}}
    else:
        there = {}
    follower = commands.spawn("logs", *target, "-f", **there)
    assert "listens on" in follower.stdout.readline()
    kill(info.pid)
    connect("camera").call("after the crash", timeout=30)
    lines = []
    while not lines or lines[-1] != "call 1 after the crash\n":
        lines.append(follower.stdout.readline())
        assert lines[-1]
    assert any("starting it again (generation 1)" in line for line in lines)
    connect("camera").terminate()
    follower.communicate(timeout=30)
    assert follower.returncode == 0
