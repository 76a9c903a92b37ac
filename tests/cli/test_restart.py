"""`bgpy restart`: ends a server and starts it again."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from support.processes import kill, supervisor_of

from bgpy import AuthError, SerializationError, connect, servers, token_create


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


@pytest.mark.parametrize("end", [False, True], ids=["running", "ended"])
def test_every_setting_stays(commands, tasks, tmp_path, end):
    token = tmp_path / "token"
    token.write_text(token_create())
    log = tmp_path / "my log"
    limits = ("--no-pickle", "--max-message-bytes", "65536", "--log-level", "debug")
    options = (
        *limits,
        "--log-file",
        log,
        "--token-file",
        token,
        "--idle-timeout",
        "1h",
        "--threads",
        "3",
    )
    assert commands.run("start", tasks, "--cwd", tmp_path, *options)[0] == 0
    (before,) = servers()
    again = ()
    if end:
        assert commands.run("stop", "camera")[0] == 0
        code, _, words = commands.run("restart", "camera")
        assert code == 1
        assert "--token-file" in words
        again = ("--token-file", token)
    assert commands.run("restart", "camera", *again)[0] == 0
    (after,) = servers()
    assert (after.address, after.log_file) == (before.address, before.log_file)
    client = connect("camera", token=token.read_text())
    assert client.call("where") == str(tmp_path)
    with pytest.raises(SerializationError, match="allow_pickle=False"):
        client.call(Unplain())
    with pytest.raises(SerializationError, match="65536"):
        client.call(b"x" * 65536)
    assert log.read_text().count("DEBUG") > 1
    with pytest.raises(AuthError):
        connect("camera", token=token_create())


class Unplain:
    pass


def test_a_token_that_was_made_up_stays_while_it_runs_and_is_new_afterwards(camera, runtime):
    def token():
        (entry,) = runtime.glob("*.json")
        return json.loads(entry.read_text())["token"]

    tokens = [token()]
    for _ in range(2):
        assert camera.run("restart", "camera")[0] == 0
        tokens.append(token())
    assert len(set(tokens)) == 1
    camera.run("stop", "camera")
    assert camera.run("restart", "camera")[0] == 0
    assert token() not in tokens


def test_values_of_variables_are_gone_with_the_server(commands, tasks, runtime):
    secret = "sk-very-secret"
    assert commands.run("start", tasks, "--env", f"KEY={secret}", "--env", "FILM=colour")[0] == 0
    assert commands.run("restart", "camera")[0] == 0
    assert connect("camera").call({"variable": "KEY"}) == secret
    kill(connect("camera").status()["pid"])
    assert commands.run("wait", "camera", "--for", "exit", "--timeout", "30")[0] == 0
    units = str(list(secret.encode()))[1:-1]

    def is_kept():
        texts = [path.read_text() for path in runtime.rglob("*.json")]
        shown = [" ".join(it.split()).replace("[ ", "[").replace(" ]", "]") for it in texts]
        return any(secret in text or units in text for text in shown)

    # The supervisor sees the end of the process when everybody does, and writes it down then.
    end = time.monotonic() + 30
    while is_kept():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the environment of processes")
@pytest.mark.parametrize("policy", ["never", "on-failure"])
def test_values_of_variables_are_never_on_disk(commands, tasks, runtime, policy):
    """Nor after the end of both processes, with nobody there to clean up."""
    secret, odd = "sk-very-secret", "a=b \u00fc=\xff"

    def is_on_disk():
        units = [str(list(value.encode()))[1:-1] for value in (secret, odd)]
        for path in [it for it in runtime.rglob("*") if it.is_file()]:
            text = " ".join(path.read_text().split()).replace("[ ", "[").replace(" ]", "]")
            if any(value in text for value in (secret, *units)):
                return True
        return False

    variables = ("--env", f"KEY={secret}", "--env", f"ODD={odd}", "--env", "EMPTY=")
    assert commands.run("start", tasks, *variables, "--restart", policy)[0] == 0
    assert not is_on_disk()
    for _ in range(2):
        assert commands.run("restart", "camera")[0] == 0
        for name, value in (("KEY", secret), ("ODD", odd), ("EMPTY", "")):
            assert connect("camera").call({"variable": name}) == value
        assert not is_on_disk()
    assert f"KEY={secret}" in commands.run("systemd", "camera")[1]
    _, _, words = commands.run("start", tasks, "--exist-ok", "--env", "KEY=other")
    assert "its variable KEY has another value" in words
    _, _, words = commands.run("start", tasks, "--exist-ok", "--env", f"KEY={secret}")
    assert "KEY" not in words
    pid = connect("camera").status()["pid"]
    supervisor = supervisor_of(pid)
    # The values are known to either process.
    kill(supervisor)
    assert commands.run("restart", "camera")[0] == 0
    assert connect("camera").call({"variable": "KEY"}) == secret
    pid = connect("camera").status()["pid"]
    for process in (supervisor_of(pid), pid):
        kill(process)
    assert not is_on_disk()
    code, _, words = commands.run("restart", "camera")
    assert code == 1
    assert "--env KEY=..." in words
    assert secret not in words


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the environment of processes")
def test_a_task_that_writes_over_its_environment_loses_no_variable(commands, tasks):
    """As setproctitle does, to show another name of the process."""
    lines = """
import ctypes
with open("/proc/self/stat") as file:
    fields = file.read().rpartition(")")[2].split()
begin, end = map(int, fields[47:49])
ctypes.memset(begin, 0, end - begin)
"""
    tasks.write_text(lines + tasks.read_text())
    assert commands.run("start", tasks, "--env", "KEY=value")[0] == 0
    assert commands.run("restart", "camera")[0] == 0
    pid = connect("camera").status()["pid"]
    assert b"KEY" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert connect("camera").call({"variable": "KEY"}) == "value"


def test_what_does_not_start_after_all_is_said(commands, tasks):
    good = tasks.read_text()
    assert commands.run("start", tasks)[0] == 0
    tasks.write_text(good.replace('return {"calls": 0}', 'raise OSError("no film")'))
    code, _, said = commands.run("restart", "camera")
    assert code == 1
    assert "camera was stopped, but does not start again: " in said
    assert "no film" in said
    assert "run `bgpy restart camera`" in said
    assert servers() == []
    tasks.write_text(good)
    assert commands.run("restart", "camera")[0] == 0


def fail(tasks, failures):
    """Have a server fail until it waits to be started again."""
    good = tasks.read_text()
    tasks.write_text("raise RuntimeError('no film')")
    kill(servers()[0].pid)
    end = time.monotonic() + 30
    while not any(info.state == "RESTARTING" and info.failures >= failures for info in servers()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return good


def test_one_that_waits_to_be_started_again_is_started_at_once(commands, tasks):
    assert commands.run("start", tasks, "--restart", "on-failure")[0] == 0
    (before,) = servers()
    good = fail(tasks, 7)
    code, _, said = commands.run("restart", "camera")
    assert (code, "does not define" in said) == (1, True)
    assert servers()[0].failures >= 7
    tasks.write_text(good)
    since = time.monotonic()
    code, _, said = commands.run("restart", "camera")
    assert code == 0, said
    # Its next try would have been later.
    assert time.monotonic() - since < 6
    (after,) = servers()
    assert (after.state, after.address, after.failures) == ("READY", before.address, 0)


def test_commands_say_when_it_is_tried_again(commands, tasks):
    assert commands.run("start", tasks, "--restart", "on-failure")[0] == 0
    # Its next try has to be later than all that is run here.
    good = fail(tasks, 7)
    for words in (("ps",), ("status", "camera"), ("call", "camera", "1", "--timeout", "0.2")):
        code, data, said = commands.run(*words)
        assert code == {"ps": 0, "status": 3, "call": 4}[words[0]]
        assert "RESTARTING" in data + said or words[0] == "call"
        assert "no film; next try in" in data + said
    about = json.loads(commands.run("ps", "-o", "json")[1])[0]
    assert about["failures"] >= 7
    assert "no film" in about["last_failure"]
    assert about["next_try"]
    code, data, said = commands.run("doctor")
    assert "camera is RESTARTING" in data + said
    waiting = commands.spawn("wait", "camera", "--for", "ready", "--timeout", "40")
    tasks.write_text(good)
    assert waiting.wait(40) == 0


@pytest.mark.parametrize("words", [("stop", "camera"), ("stop", "--all"), ("kill", "camera")])
def test_commands_end_one_that_waits_to_be_started_again(commands, tasks, words):
    assert commands.run("start", tasks, "--restart", "on-failure")[0] == 0
    fail(tasks, 6)
    since = time.monotonic()
    code, _, said = commands.run(*words)
    assert code == 0, said
    assert time.monotonic() - since < 3
    assert servers() == []
    (info,) = servers(ended=True)
    assert info.state == ("FAILED" if words[0] == "kill" else "EXITED")


def test_one_whose_process_stays_is_not_started_again(commands, tasks):
    left = "import threading; threading.Thread(target=threading.Event().wait).start()"
    tasks.write_text(f"{left}\n{tasks.read_text()}")
    assert commands.run("start", tasks)[0] == 0
    code, _, words = commands.run("restart", "camera", "--grace", "1")
    assert code == 4
    waiting, failed = words.splitlines()
    assert waiting.startswith("Waiting up to 1s for camera: ")
    for line in (waiting, failed):
        assert "Thread-1" in line
    assert "`bgpy kill camera`" in failed
    assert commands.run("kill", "camera")[0] == 0
    assert commands.run("restart", "camera")[0] == 0
    assert commands.run("stop", "camera", "--grace", "2", "--force")[0] == 0


def test_what_it_waits_for_is_said_while_it_waits(commands, tasks):
    left = "import threading; threading.Thread(target=threading.Event().wait).start()"
    tasks.write_text(f"{left}\n{tasks.read_text()}")
    assert commands.run("start", tasks)[0] == 0
    process = commands.spawn("restart", "camera", "--grace", "1h")
    assert "Thread-1" in process.stderr.readline()
    assert commands.run("kill", "camera")[0] == 0
    assert process.wait(30) == 0
    assert commands.run("stop", "camera", "--grace", "2", "--force")[0] == 0


def test_a_task_that_takes_longer_than_the_grace(camera, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    connect("camera").execute({"open": str(pipe)})
    while connect("camera").status()["state"] != "BUSY":
        time.sleep(0.01)
    code, _, words = camera.run("restart", "camera", "--grace", "2")
    assert code == 4
    waiting, failed = words.splitlines()
    assert "running task of camera" in waiting
    assert "`bgpy restart camera`" in failed
    with pipe.open("w"):
        pass
    assert camera.run("restart", "camera")[0] == 0


@pytest.mark.parametrize("words", [("server", "127.0.0.1", "0"), ("run", "tasks.py"), ("doctor",)])
def test_files_of_the_working_directory_pass_for_no_module(commands, tasks, tmp_path, words):
    """Neither for bgpy nor for a module of Python, wherever an interpreter is started."""
    place = tmp_path / "untrusted"
    (place / "bgpy").mkdir(parents=True)
    evil = f"open({str(tmp_path / 'ran')!r}, 'w')"
    names = ("bgpy/__init__", "bgpy/__main__", "signal", "socket", "traceback", "json", "os")
    for name in names:
        (place / f"{name}.py").write_text(evil)
    shutil.copy(tasks, place / "tasks.py")
    process = commands.spawn(*words, cwd=place)
    if words[0] == "doctor":
        process.communicate(timeout=30)
    else:
        assert "listens" in process.stderr.readline()
        process.terminate()
        assert process.wait(30) == 0
    assert not (tmp_path / "ran").exists()


IGNORING = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
IGNORING += "os.execv(sys.argv[1], sys.argv[1:])"


def test_whoever_runs_the_command_may_ignore_the_end_of_children(each_form, tasks):
    each_form.form = [sys.executable, "-c", IGNORING, *each_form.form]
    assert each_form.run("start", tasks, "--restart", "on-failure")[0] == 0
    assert each_form.run("restart", "camera")[0] == 0
    assert "cannot be run" not in each_form.run("doctor")[1]
    assert each_form.run("stop", "camera")[0] == 0
    process = each_form.spawn("run", tasks, "--restart", "on-failure")
    assert each_form.run("wait", "camera", "--for", "ready", "--timeout", "30")[0] == 0
    assert each_form.run("stop", "camera")[0] == 0
    assert process.wait(30) == 0
