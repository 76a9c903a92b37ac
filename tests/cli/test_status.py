"""`bgpy status`: everything about one server."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest
from support.processes import KILL

import bgpy
from bgpy import connect

from .commands import HOST


def test_what_is_known(each_form, camera):
    client = connect("camera")
    client.call(1)
    code, data, words = each_form.run("status", "camera")
    lines = dict(line.split(maxsplit=1) for line in data.splitlines())
    assert (code, words) == (0, "")
    assert (lines["server"], lines["state"]) == ("camera", "READY")
    assert lines["calls"] == "1 completed, 0 queued"
    # The command's own connection is no client.
    assert lines["clients"] == "1"
    assert re.fullmatch(r"\d+(\.\d)?s", lines["cpu"])
    assert lines["process"] == str(client.status()["pid"])
    assert lines["log"].endswith(".log")
    assert "Python 3." in lines["versions"]


def test_what_it_is_doing_now(camera, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    connect("camera").execute({"open": str(pipe)})
    with pipe.open("w"):
        while "exec_task, for " not in (data := camera.run("status", "camera")[1]):
            pass
        assert "BUSY" in data


@pytest.mark.parametrize("kind", ["address", "socket"])
def test_other_targets(camera, runtime, kind):
    (path,) = runtime.glob("*.json")
    target = json.loads(path.read_text())[kind]
    assert "camera" in camera.run("status", target)[1]


def test_from_elsewhere(camera, runtime, tmp_path, monkeypatch):
    (path,) = runtime.glob("*.json")
    entry = json.loads(path.read_text())
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    code, _, words = camera.run("status", entry["address"])
    assert (code, "no token was given or found" in words) == (5, True)
    monkeypatch.setenv("BGPY_TOKEN", entry["token"])
    code, data, _ = camera.run("status", entry["address"], "-o", "json")
    about = json.loads(data)
    assert code == 0
    assert (about["name"], about["state"], about["instance"]) == (
        "camera",
        "READY",
        entry["instance"],
    )
    assert about["status"]["clients"] == 0
    assert about["status"]["cpu_s"] > 0


def test_one_that_has_ended(camera):
    connect("camera").terminate()
    camera.run("wait", "camera", "--for", "exit")
    code, data, _ = camera.run("status", "camera")
    assert code == 3
    assert "EXITED" in data


def test_one_that_has_failed_shows_its_last_words(camera):
    client = connect("camera")
    client.call("some light")
    os.kill(client.status()["pid"], KILL)
    camera.run("wait", "camera", "--for", "exit")
    code, data, _ = camera.run("status", "camera")
    assert code == 3
    assert "FAILED" in data
    assert "reason    signal 9 (SIGKILL): " in data
    *_, words, reason = data.splitlines()
    assert words == "call 1 some light"
    assert reason.endswith("the server's process has failed: signal 9 (SIGKILL)")


@pytest.mark.parametrize(
    ("target", "code"), [("nobody", 3), (f"{HOST}:1", 3), ("./nobody.sock", 3), ("a b", 2)]
)
def test_nobody(commands, target, code):
    assert commands.run("status", target)[:2] == (code, "")


@pytest.mark.parametrize("columns", [80, 40])
def test_what_a_person_sees(camera, screen, columns):
    connect("camera").call("some light")
    shown = screen("status", "camera", size=(columns, 30))
    assert shown.end() == 0
    lines = [line for line in shown.text.splitlines() if line]
    assert lines[:3] == ["server    camera", "state     READY", "calls     1 completed, 0 queued"]
    assert shown.screen.buffer[1][10].fg == "green"
    assert shown.line_with("instance").startswith("instance  ")


def test_what_a_person_sees_of_one_that_has_failed(camera, screen):
    os.kill(connect("camera").status()["pid"], signal.SIGSEGV)
    camera.run("wait", "camera", "--for", "exit")
    shown = screen("status", "camera", size=(80, 40))
    assert shown.end() == 3
    assert shown.line_with("state") == "state     FAILED"
    assert shown.line_with("reason").startswith("reason    signal 11 (SIGSEGV): ")
    assert "Fatal Python error: Segmentation fault" in shown.text


class Lamp:
    def light(self):
        return 1


def test_the_class_of_an_object_that_a_script_has_sent(each_form, commands):
    with bgpy.start(Lamp, name="lamp") as server:
        code, data, words = each_form.run("status", "lamp")
        assert (code, words) == (0, "")
        assert "serves    Lamp of the client that started it\n" in data
        as_json = json.loads(commands.run("status", "lamp", "-o", "json")[1])
        assert as_json["class"] == "Lamp"
        by_address = commands.run("status", f"{HOST}:{server.port}")[1]
        assert "Lamp" in by_address


def test_tasks_that_a_script_has_sent_have_no_class(camera):
    assert "serves" not in camera.run("status", "camera")[1]
