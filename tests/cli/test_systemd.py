"""`bgpy systemd`: a unit that works, as far as can be seen without systemd."""

from __future__ import annotations

import shlex
import socket

import pytest

from bgpy import connect, start


def test_what_the_unit_starts_tells_when_it_is_ready(each_form, camera, tmp_path):
    code, unit, words = each_form.run("systemd", "camera")
    assert (code, words) == (0, "")
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    assert (settings["Type"], settings["Restart"]) == ("notify", "on-failure")
    assert each_form.run("stop", "camera")[0] == 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        commands, commands.form = each_form, shlex.split(settings["ExecStart"])
        process = commands.spawn(env={"NOTIFY_SOCKET": manager.getsockname(), **environment()})
        assert manager.recv(100) == b"READY=1"
        client = connect("camera")
        assert client.status()["state"] == "READY"
        assert client.status()["pid"] == process.pid
        process.terminate()
        assert manager.recv(100) == b"STOPPING=1"
        assert process.wait(30) == 0


def environment():
    import os

    return {name: os.environ[name] for name in ("BGPY_RUNTIME_DIR", "PATH")}


def test_one_whose_tasks_came_from_a_client(commands):
    server = start((dict, print, print), "camera")
    code, data, words = commands.run("systemd", "camera")
    assert (code, data) == (1, "")
    assert "file or module of tasks" in words
    server.stop()


@pytest.mark.parametrize("target", ["nobody", "127.0.0.1:1"])
def test_nobody(commands, target):
    assert commands.run("systemd", target)[:2] == (3, "")
