"""`bgpy doctor`: finds each bad state, says how to fix it, and removes only what is unused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest
from support.processes import IS_ROOT, stand_still

from bgpy import token_create

OLD_S = 1_000_000_000

ENTRY = {
    "format": 1,
    "instance": "0123456789abcdef",
    "name": "trainer",
    "machine": "elsewhere 0",
    "process": {"pid": 1, "start": 0},
    "supervisor": None,
    "host": "127.0.0.1",
    "address": "127.0.0.1:4000",
    "socket": None,
    "token": None,
    "log_file": None,
    "bgpy": "1.0.0",
    "python": None,
    "started_ms": 0,
}


@pytest.fixture
def doctor(commands):
    """Return a function that runs `bgpy doctor`, and returns its code and findings by subject."""

    def doctor(*options, **others):
        code, data, words = commands.run("doctor", "-o", "json", *options, **others)
        assert words == ""
        findings = {}
        for finding in json.loads(data):
            assert (finding["fix"] is None) == (finding["level"] == "ok")
            findings.setdefault(finding["about"], []).append(finding)
        levels = {finding["level"] for each in findings.values() for finding in each}
        assert code == ("error" in levels)
        return code, findings

    return doctor


def only(findings, about):
    (finding,) = findings[about]
    return finding["level"], finding["text"], finding["fix"]


def aged(path):
    """Let a file look as if nobody had touched it for long."""
    os.utime(path, (OLD_S, OLD_S))
    return path


def left_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
    return path


def test_nothing_is_wrong(each_form, start):
    start()
    code, data, words = each_form.run("doctor")
    assert (code, words) == (0, "")
    lines = data.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "note"}
    assert {line.split()[1] for line in lines} >= {"directory", "sockets", "logs", "python"}
    assert any(line.startswith("ok     servers    1 running") for line in lines)


def test_a_directory_that_is_not_there(doctor, runtime):
    runtime.rmdir()
    code, findings = doctor()
    assert code == 0
    assert "does not exist yet" in only(findings, "directory")[1]
    assert not runtime.exists()


def test_a_directory_that_cannot_be_made(doctor, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "run"):
        monkeypatch.setenv("BGPY_RUNTIME_DIR", str(path))
        code, findings = doctor()
        level, text, fix = only(findings, "directory")
        assert (code, level) == (1, "error")
        assert str(path) in text
        assert "BGPY_RUNTIME_DIR" in fix


def test_a_directory_that_others_enter(doctor, runtime):
    runtime.chmod(0o755)
    code, findings = doctor("--fix")
    level, text, fix = only(findings, "directory")
    assert (code, level) == (1, "error")
    assert "mode 755" in text
    assert fix == f"chmod 700 '{runtime}'"
    subprocess.run(fix, shell=True, check=True)
    assert doctor()[0] == 0


@pytest.mark.skipif(not IS_ROOT, reason="only root gives files away")
def test_a_directory_of_another_user(doctor, runtime):
    os.chown(runtime, 12345, -1)
    _, findings = doctor()
    level, text, fix = only(findings, "directory")
    assert level == "error"
    assert "12345" in text
    assert "BGPY_RUNTIME_DIR" in fix


@pytest.mark.skipif(IS_ROOT, reason="root writes everywhere")
def test_a_directory_that_takes_no_files(doctor, runtime):
    runtime.chmod(0o500)
    _, findings = doctor()
    level, text, fix = only(findings, "directory")
    runtime.chmod(0o700)
    assert level == "error"
    assert "no file can be created" in text
    assert fix == f"chmod 700 '{runtime}'"


def test_a_path_too_long_for_sockets(doctor, tmp_path, monkeypatch):
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / ("x" * 100)))
    code, findings = doctor()
    level, text, fix = only(findings, "sockets")
    assert (code, level) == (0, "note")
    assert "TCP" in text
    assert "shorter" in fix


@pytest.mark.parametrize(
    ("text", "level", "told"),
    [
        ("", "error", "cannot be read"),
        ('{"format": 1, "inst', "error", "cannot be read"),
        (json.dumps(ENTRY | {"format": 99}), "error", "format 99"),
        (json.dumps(ENTRY), "note", "another machine"),
    ],
    ids=["empty", "torn", "newer", "foreign"],
)
def test_an_entry_that_may_be_a_servers_is_told_of_and_stays(doctor, runtime, text, level, told):
    path = runtime / "0123456789abcdef.json"
    path.write_text(text)
    aged(path)
    for options in ([], ["--fix"]):
        code, findings = doctor(*options)
        found = only(findings, "leftovers")
        assert (code, found[0]) == (level == "error", level)
        assert told in found[1]
        assert str(path) in found[1]
        assert path.read_text() == text


def test_what_is_unused_is_removed_when_told_to(doctor, start, runtime):
    start()
    used = set(runtime.iterdir())
    (runtime / "ended").mkdir(mode=0o700)
    left = [runtime / "a.draft", runtime / "ended" / "b.draft", runtime / "free.name"]
    for path in left:
        path.touch()
    left.append(left_socket(runtime / "c.sock"))
    # So young, they could be those of a server that starts.
    assert only(doctor("--fix")[1], "leftovers")[0] == "ok"
    for path in left:
        aged(path)
    code, findings = doctor()
    assert code == 0
    assert [finding["level"] for finding in findings["leftovers"]] == ["note"] * 4
    assert all("--fix" in finding["fix"] for finding in findings["leftovers"])
    assert all(path.exists() for path in left)
    _, findings = doctor("--fix")
    told = [finding["text"] for finding in findings["leftovers"]]
    assert all(text.startswith("removed: ") for text in told)
    assert all(any(str(path) in text for text in told) for path in left)
    assert not any(path.exists() for path in left)
    assert used <= set(runtime.iterdir())
    assert only(doctor()[1], "leftovers")[:2] == ("ok", "none")


def test_the_entry_of_a_dead_server(doctor, start, runtime):
    server = start()
    (path,) = runtime.glob("*.json")
    entry = path.read_text()
    os.kill(server.pid, 9)
    server.wait(10)
    # Whoever waited for it may have cleared it away.
    path.write_text(entry)
    code, findings = doctor()
    level, text, fix = only(findings, "leftovers")
    assert (code, level) == (0, "note")
    assert f"process {server.pid} is gone" in text
    assert "--fix" in fix
    assert path.exists()
    assert only(doctor("--fix")[1], "leftovers")[0] == "ok"
    assert not path.exists()
    assert only(doctor()[1], "leftovers")[:2] == ("ok", "none")


def test_a_named_server_that_runs_loses_nothing(doctor, commands, runtime, tmp_path):
    tasks = tmp_path / "tasks.py"
    tasks.write_text("init_task = dict\nexec_task = exit_task = lambda *_: None\n")
    code, _, words = commands.run("start", tasks)
    assert code == 0, words
    before = {aged(path) for path in runtime.iterdir() if path.is_file() or path.is_socket()}
    assert {path.suffix for path in before} >= {".json", ".sock", ".name"}
    assert only(doctor("--fix")[1], "leftovers")[:2] == ("ok", "none")
    assert before <= set(runtime.iterdir())
    assert commands.run("ping", "tasks")[0] == 0


@pytest.mark.parametrize(
    ("change", "about", "told"),
    [
        ({"bgpy": "0.9.0"}, "servers", "bgpy 0.9.0"),
        ({"started_ms": 1 << 42}, "clock", "clock was set back"),
    ],
    ids=["version", "clock"],
)
def test_a_server_that_stands_out(doctor, start, runtime, change, about, told):
    start()
    (path,) = runtime.glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    path.chmod(0o600)
    code, findings = doctor()
    level, text, _ = only(findings, about)
    assert (code, level) == (0, "note")
    assert told in text


def test_a_server_that_does_not_answer(doctor, start):
    server = start()
    assert only(doctor()[1], "answers") == ("ok", "every server responds", None)
    stand_still(server.pid)
    code, findings = doctor()
    level, text, fix = only(findings, "answers")
    assert (code, level) == (1, "error")
    assert f"127.0.0.1:{server.port} is STALE" in text
    assert f"`bgpy kill 127.0.0.1:{server.port}` ends it" in fix


def test_tokens(doctor, monkeypatch):
    monkeypatch.setenv("BGPY_TOKEN", "chosen by a person")
    level, text, fix = only(doctor()[1], "token")
    assert level == "note"
    assert "chosen" not in text
    assert "bgpy token create" in fix
    monkeypatch.setenv("BGPY_TOKEN", token_create())
    assert only(doctor()[1], "token")[0] == "ok"


def test_several_commands(doctor, tmp_path, monkeypatch):
    places = [tmp_path / "a", tmp_path / "b"]
    for place in places:
        place.mkdir()
        (place / "bgpy").touch()
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, places)))
    level, text, _ = only(doctor()[1], "command")
    assert level == "note"
    assert all(str(place / "bgpy") in text for place in places)


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """Return a function that makes a script the interpreter of `bgpy`."""

    def interpreter(script):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setenv("BGPY_PYTHON", str(path))

    return interpreter


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 3.14.0 0.3.0", "has bgpy 0.3.0"),
        (f'exec {sys.executable} -I -S "$@"', "No module named 'bgpy'"),
    ],
    ids=["other", "none"],
)
def test_an_interpreter_with_another_bgpy_or_none(doctor, interpreter, script, told):
    interpreter(script)
    code, findings = doctor()
    level, text, fix = only(findings, "python")
    assert (code, level) == (1, "error")
    assert told in text
    assert "pip install bgpy==" in fix


def test_no_interpreter(doctor, monkeypatch):
    monkeypatch.setenv("BGPY_PYTHON", "/nowhere/python")
    level, text, fix = only(doctor()[1], "python")
    assert level == "error"
    assert "/nowhere/python" in text
    assert "BGPY_PYTHON" in fix


def test_lines_for_people_have_colors_when_wanted(commands):
    plain = commands.run("doctor")[1]
    colored = commands.run("doctor", "--color=always")[1]
    assert "\x1b[" not in plain
    assert colored.startswith("\x1b[32mok")
