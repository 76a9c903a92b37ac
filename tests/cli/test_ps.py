"""`bgpy ps`: which servers there are."""

from __future__ import annotations

import json
import os
import signal

import pytest
from support.processes import kill, stand_still

from bgpy import connect

from .commands import HOST


def rows(commands, *options):
    """Return the rows of the table by their names, and the words."""
    code, data, words = commands.run("ps", *options)
    assert code == 0
    head, *lines = [line.split() for line in data.splitlines()]
    return {line[0]: dict(zip(head, line, strict=False)) for line in lines}, words


def test_nobody(each_form):
    code, data, words = each_form.run("ps")
    assert (code, data) == (0, "NAME  STATE  PID  ADDRESS  UPTIME  CALLS  QUEUE  RSS\n")
    assert words == "No servers are running; `bgpy start FILE` starts one.\n"
    assert each_form.run("ps", "-o", "json") == (0, "[]\n", "")


def test_servers_of_every_state(camera, start, tmp_path):
    plain = start()
    client = connect("camera")
    client.call(1)
    pid = client.status()["pid"]
    found, words = rows(camera)
    assert found["camera"] | {"STATE": "READY", "PID": str(pid), "CALLS": "1"} == found["camera"]
    assert found["-"]["STATE"] == "UNINITIALIZED"
    assert found["-"]["ADDRESS"] == f"{HOST}:{plain.port}"
    assert words == ""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    client.execute({"open": str(pipe)})
    client.execute(2)
    with pipe.open("w"):
        found, _ = rows(camera)
        assert (found["camera"]["STATE"], found["camera"]["QUEUE"]) == ("BUSY", "1")
        client.terminate()
        assert rows(camera)[0]["camera"]["STATE"] == "STOPPING"
    assert camera.run("wait", "camera", "--for", "exit")[0] == 0
    assert "camera" not in rows(camera)[0]
    assert rows(camera, "-a")[0]["camera"]["STATE"] == "EXITED"


def test_one_that_was_killed_has_failed(camera):
    pid = connect("camera").status()["pid"]
    kill(pid)
    assert rows(camera)[0] == {}
    found, words = rows(camera, "-a")
    assert found["camera"]["STATE"] == "FAILED"
    assert f"camera (process {pid}) is FAILED: " in words


def test_one_that_does_not_answer_is_stale(camera):
    pid = connect("camera").status()["pid"]
    stand_still(pid)
    try:
        found, words = rows(camera, "--timeout", "0.3")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert found["camera"]["STATE"] == "STALE"
    assert f"process {pid} is there" in words
    assert rows(camera)[0]["camera"]["STATE"] == "READY"


def test_a_process_id_proves_nothing(camera, runtime):
    (path,) = runtime.glob("*.json")
    entry = json.loads(path.read_text())
    kill(entry["supervisor"]["pid"])
    kill(entry["process"]["pid"])
    # The ids have gone to another program, one of this user's: this one.
    used = {name: entry[name] | {"pid": os.getpid()} for name in ("process", "supervisor")}
    path.write_text(json.dumps(entry | used))
    assert rows(camera)[0] == {}
    assert list(runtime.glob("*.json")) == []
    assert rows(camera, "-a")[0]["camera"]["STATE"] == "FAILED"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', "\0" * 100])
def test_entries_that_cannot_be_read(camera, runtime, text):
    (runtime / "0123456789abcdef.json").write_text(text)
    assert list(rows(camera)[0]) == ["camera"]


def test_a_clock_that_was_set_back(camera, runtime):
    (path,) = runtime.glob("*.json")
    entry = json.loads(path.read_text())
    path.write_text(json.dumps(entry | {"started_ms": entry["started_ms"] + 10**9}))
    assert rows(camera)[0]["camera"]["STATE"] == "READY"


def test_a_registry_that_others_enter_is_not_believed(camera, runtime):
    runtime.chmod(0o755)
    code, data, words = camera.run("ps")
    assert (code, data) == (1, "")
    assert "other users may enter it (chmod 700 it)" in words
    runtime.chmod(0o700)
    assert list(rows(camera)[0]) == ["camera"]


def test_colors(camera):
    assert "\x1b" not in camera.run("ps")[1]
    assert "\x1b[32mREADY\x1b[0m" in camera.run("ps", "--color", "always")[1]


@pytest.mark.parametrize("columns", [120, 80, 40])
def test_what_a_person_sees(camera, start, screen, columns):
    nameless = start()
    shown = screen("ps", size=(columns, 10))
    assert shown.end() == 0
    lines = [line for line in shown.text.splitlines() if line]
    assert len(lines) == 3
    head, *below = lines
    wanted = ["NAME", "STATE", "PID", "ADDRESS", "UPTIME", "CALLS", "QUEUE", "RSS"]
    assert head.split() == [title for title in wanted if title in head]
    assert head.split()[:3] == wanted[:3]
    assert (head.split() == wanted) == (columns >= 80)
    # Youngest first, and each in its column.
    for line, name, state in zip(below, ["-", "camera"], ["UNINITI", "READY"], strict=True):
        assert line.startswith(name)
        assert line[head.index("STATE") :].startswith(state)
    assert below[0][: head.index("PID") + 3].endswith(str(nameless.pid))
    (y,) = [y for y, line in enumerate(shown.screen.display) if line.startswith("camera")]
    assert shown.screen.buffer[y][head.index("STATE")].fg == "green"
    assert shown.screen.buffer[y][0].fg == "default"


def test_without_colors(camera, screen, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    shown = screen("ps")
    assert shown.end() == 0
    assert b"\x1b[" not in shown.written
    assert shown.line_with("READY").startswith("camera")


def test_a_reader_that_has_gone(camera):
    process = camera.spawn("ps")
    process.stdout.close()
    assert process.wait(30) == 0
