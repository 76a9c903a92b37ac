"""Files of a server that somebody removes come back; where they are depends on the home alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support.processes import IS_ROOT

from bgpy import NameTaken, Server, connect, servers

with suppress(ImportError):  # Windows has no such database.
    import pwd

BGPY = str(Path(sys.executable).with_name("bgpy"))
LIMIT_S = 20


def until(true):
    """Wait for what nobody tells of: a file system has no event that all systems know."""
    end = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end, "it does not come back"
        time.sleep(0.02)


KINDS = {
    "entry": lambda run: next(run.glob("*.json")).unlink(),
    "socket": lambda run: next(run.glob("*.sock")).unlink(),
    "name": lambda run: next(run.glob("*.name")).unlink(),
    "log": lambda run: next(run.glob("*.log")).unlink(),
    "everything": lambda run: shutil.rmtree(run),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_what_is_removed_comes_back(start, runtime, kind, busy, gates):
    gate = gates() if busy else None
    server = start(name="stays", token="x" * 50)
    with connect("stays", token="x" * 50) as client:
        if gate:
            client.initialize(dict, lambda *_: gate.enter(), lambda *_: None)
            client.execute({})
            gate.wait_entered()
        files = {path.name for path in runtime.iterdir()}
        KINDS[kind](runtime)
        until(lambda: runtime.exists() and {path.name for path in runtime.iterdir()} >= files)
        (socket,) = runtime.glob("*.sock")
        fresh = connect(str(socket))
        assert fresh.status()["pid"] == server.pid
        assert client.status()["pid"] == server.pid
    assert (runtime.stat().st_mode & 0o777) == 0o700
    (entry,) = runtime.glob("*.json")
    assert (entry.stat().st_mode & 0o777) == 0o600
    assert json.loads(entry.read_text())["token"] == "x" * 50
    with pytest.raises(NameTaken):
        Server(name="stays").run_background()
    if gate:
        gate.open()
    server.stop(timeout=30)
    assert {path.suffix for path in runtime.iterdir() if path.is_file()} == {".log"}
    (info,) = servers(ended=True)
    assert info.state == "EXITED"


def test_what_is_printed_afterwards_stands_in_the_new_log(serve, runtime):
    client = serve(lambda s, state, args: (print("printed", args), s.respond(0)))
    (log,) = runtime.glob("*.log")
    log.unlink()
    until(log.exists)
    client.call("later")
    assert "printed later" in log.read_text()


def directory(**environment):
    """Where the command looks, with these variables and no others."""
    words = [BGPY, "doctor", "-o", "json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    texts = [found["text"] for found in json.loads(done.stdout) if found["about"] == "directory"]
    return texts[0].split("'")[1]


def test_one_directory_for_a_user_however_they_come_in(tmp_path):
    home = str(tmp_path)
    wanted = f"{home}/.local/state/bgpy"
    login = {"XDG_RUNTIME_DIR": f"{home}/run", "XDG_CACHE_HOME": f"{home}/cache"}
    assert directory(HOME=home) == wanted
    assert directory(HOME=home, XDG_RUNTIME_DIR="") == wanted
    assert directory(HOME=home, **login, XDG_STATE_HOME=f"{home}/state") == wanted
    assert directory(HOME=home, BGPY_RUNTIME_DIR=f"{home}/own") == f"{home}/own"
    own = pwd.getpwuid(os.geteuid()).pw_dir
    assert (
        directory()
        == directory(HOME="")
        == directory(HOME="relative")
        == f"{own}/.local/state/bgpy"
    )


@pytest.mark.skipif(not IS_ROOT, reason="only root gives files away")
def test_the_home_of_somebody_else_is_not_believed(tmp_path):
    """As in `sudo` and `su` without a new environment."""
    os.chown(tmp_path, 12345, -1)
    own = pwd.getpwuid(os.geteuid()).pw_dir
    assert directory(HOME=str(tmp_path)) == f"{own}/.local/state/bgpy"


def test_doctor_tells_of_a_place_that_ends_with_the_login_and_of_the_former_one(
    tmp_path, monkeypatch, start
):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    former = tmp_path / "bgpy"
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(former))
    server = start(name="old")
    assert (
        "is deleted when you log out"
        in subprocess.run([BGPY, "doctor"], capture_output=True, text=True).stdout
    )
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "new"))
    told = subprocess.run([BGPY, "doctor"], capture_output=True, text=True).stdout
    assert f"still registered in '{former}': old" in told
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(former))
    server.stop(timeout=30)
