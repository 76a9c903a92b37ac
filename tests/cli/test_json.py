"""`-o json`: one object, or an array, on standard output; messages stay on standard error."""

from __future__ import annotations

import json

import pytest

import bgpy
from bgpy import connect, servers

from .serving import shop

__all__ = ["shop"]


def printed(commands, *arguments, code=0):
    """Run a command with `-o json`, and return its data and its words."""
    got, data, words = commands.run(*arguments, "-o", "json")
    assert got == code, words
    return json.loads(data), words


def test_ping(camera):
    data, words = printed(camera, "ping", "camera")
    assert data.pop("ms") > 0
    assert (data, words) == ({"target": "camera"}, "")


def test_stop(camera):
    pid = connect("camera").status()["pid"]
    data, words = printed(camera, "stop", "camera")
    outcome = {"target": "camera", "pid": pid, "result": "stopped", "error": None}
    assert data == {"servers": [outcome]}
    assert words == "Stopped camera.\n"
    assert printed(camera, "stop", "--all") == ({"servers": []}, "No servers are running.\n")


def test_stop_of_nobody(commands):
    data, words = printed(commands, "stop", "nobody", code=3)
    (outcome,) = data["servers"]
    assert (outcome["pid"], outcome["result"]) == (None, "failed")
    assert words == f"error: {outcome['error']}\n"


def test_kill(camera):
    pid = connect("camera").status()["pid"]
    data, words = printed(camera, "kill", "camera")
    assert data == {"target": "camera", "pid": pid, "result": "killed"}
    assert words == f"Killed camera (process {pid}).\n"


def test_start_and_restart(commands, tasks):
    for arguments in (["start", tasks], ["restart", "camera"]):
        data, words = printed(commands, *arguments)
        (info,) = servers()
        assert (data["name"], data["pid"], data["address"]) == ("camera", info.pid, info.address)
        assert data["status"]["state"] == "READY"
        assert words.rstrip().endswith(f"at {info.address}.")


def test_start_without_waiting(commands, tasks):
    data, _ = printed(commands, "start", tasks, "--no-wait")
    assert data == {"name": "camera", "state": "STARTING"}
    assert commands.run("wait", "camera", "--for", "ready")[0] == 0


@pytest.mark.parametrize("state", ["ready", "idle", "exit"])
def test_wait(camera, state):
    if state == "exit":
        assert camera.run("stop", "camera")[0] == 0
    data, words = printed(camera, "wait", "camera", "--for", state)
    assert data.pop("waited_s") >= 0
    assert (data, words) == ({"target": "camera", "state": state}, "")


def test_logs(camera):
    connect("camera").call("a\nb")
    code, text, _ = camera.run("logs", "camera")
    assert code == 0
    code, data, words = camera.run("logs", "camera", "-o", "json")
    assert (code, words) == (0, "")
    lines = [json.loads(line) for line in data.splitlines()]
    assert len(lines) == len(text.splitlines())
    for line, written in zip(lines, text.splitlines(), strict=True):
        assert line.keys() == {"time", "level", "text"}
        if line["time"] is None:
            assert (line["level"], line["text"]) == (None, written)
        else:
            assert written == f"{line['time']} {line['level']:<5} {line['text']}"
    (ready,) = [line for line in lines if line["text"].startswith("ready at ")]
    (info,) = servers()
    assert ready["level"] == "INFO"
    assert ready["text"] == f"ready at {info.address} (process {info.pid})"


def test_followed_logs_come_line_by_line(camera):
    follower = camera.spawn("logs", "camera", "-f", "-n", 1, "-o", "json")
    assert json.loads(follower.stdout.readline())["text"].startswith("ready at ")
    connect("camera").call("over there")
    assert json.loads(follower.stdout.readline())["text"] == "call 1 over there"
    camera.run("stop", "camera")
    rest, words = follower.communicate(timeout=30)
    assert json.loads(rest.splitlines()[-1])["text"] == "ended"
    assert (follower.returncode, words) == (0, "")


def test_dump(camera):
    data, words = printed(camera, "dump", "camera")
    pid = connect("camera").status()["pid"]
    assert data["target"] == "camera"
    assert data["about"].startswith(f"process {pid}, Python 3.")
    expected = {"about": "Thread 'MainThread' runs the server", "lines": ["  waits for calls"]}
    assert expected in data["stacks"]
    assert words == ""


def test_submit_and_result(shop):
    data, words = printed(shop.commands, "submit", "counter", "increase", "--key", "a key")
    assert data == {"target": "counter", "job": "a key"}
    assert "`bgpy result counter 'a key'` waits for it" in words
    assert printed(shop.commands, "result", "counter", "a key") == (1, "")
    assert shop.commands.run("submit", "counter", "reset", "--key", "none")[0] == 0
    assert shop.commands.run("result", "counter", "none") == (0, "", "")
    assert printed(shop.commands, "result", "counter", "none") == (None, "")


def test_call(shop):
    assert shop.commands.run("call", "counter", "reset") == (0, "", "")
    assert printed(shop.commands, "call", "counter", "reset") == (None, "")
    assert printed(shop.commands, "call", "counter", "value") == (0, "")
    for other in ("--repr", "--no-wait"):
        assert shop.commands.run("call", "counter", "reset", other, "-o", "json")[:2] == (2, "")


def test_token_and_version(commands):
    data, words = printed(commands, "token", "create")
    assert len(data["token"]) >= 64
    assert words == ""
    assert printed(commands, "version") == ({"bgpy": bgpy.__version__}, "")
