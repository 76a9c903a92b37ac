"""`bgpy start --watch` and `bgpy run --watch`: a server whose files change is started again."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

from bgpy import NotRunning, connect, servers

TASKS = """
import pieces.part
from bgpy import respond

print("this is version", 1, pieces.part.NUMBER, flush=True)

def init_task():
    return {}

def exec_task(client_socket, state, args):
    respond(client_socket, (1, pieces.part.NUMBER))

def exit_task(client_socket, state, args):
    print("leaving")
"""


class Project:
    """A file of tasks with a module of its own."""

    def __init__(self, directory: Path) -> None:
        self.tasks = directory / "camera.py"
        self.part = directory / "pieces" / "part.py"
        self.part.parent.mkdir()
        self.part.write_text("NUMBER = 1\n")
        self.tasks.write_text(TASKS)

    def write(self, version: int, extra: str = "") -> None:
        """Replace the tasks, as editors do."""
        draft = self.tasks.with_suffix(".draft")
        text = TASKS.replace('version", 1', f'version", {version}')
        draft.write_text(text.replace("(1,", f"({version},") + extra)
        os.replace(draft, self.tasks)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def await_line(stream: IO[str], words: str) -> str:
    """Read up to a line with these words."""
    while words not in (line := stream.readline()):
        assert line, f"the output ends before '{words}'"
    return line


@pytest.mark.parametrize("options", [[], ["--restart", "on-failure"]])
def test_a_background_server_follows_its_files(commands, project, options):
    assert commands.run("start", project.tasks, "--watch", *options)[0] == 0
    (before,) = servers()
    assert "watches   its files" in commands.run("status", "camera")[1]
    assert json.loads(commands.run("ps", "-o", "json")[1])[0]["watch"] is True
    log = commands.spawn("logs", "camera", "-f").stdout
    await_line(log, "version 1 1")
    client = connect("camera")
    assert client.call(None) == (1, 1)
    project.write(2)
    await_line(log, "version 2 1")
    assert client.call(None, timeout=30) == (2, 1)
    project.part.write_text("NUMBER = 20\n")
    await_line(log, "version 2 20")
    assert client.call(None, timeout=30) == (2, 20)
    (after,) = servers()
    assert after.address == before.address
    # A file beside them is nothing.
    project.tasks.with_name("notes.py").write_text("x = 1\n")
    project.write(3, "def broken(:\n")
    line = await_line(log, "cannot be restarted, so it was not stopped")
    assert "SyntaxError" in line
    assert client.call(None) == (2, 20)
    assert servers()[0].pid == after.pid
    project.write(4)
    await_line(log, "version 4 20")
    assert client.call(None, timeout=30) == (4, 20)
    assert commands.run("stop", "camera")[0] == 0


def test_a_foreground_server_follows_its_files(each_form, project):
    process = each_form.spawn("run", project.tasks, "--watch")
    await_line(process.stdout, "version 1 1")
    await_line(process.stderr, "taking the tasks")
    (before,) = servers()
    client = connect("camera")
    assert client.call(None) == (1, 1)
    for version in (2, 3):
        project.write(version)
        # Clients wait meanwhile.
        while client.call(None, timeout=30)[0] != version:
            pass
        assert process.stdout.readline() == "leaving\n"
        await_line(process.stdout, f"version {version} 1")
        assert client.status()["pid"] == process.pid
        assert servers()[0].address == before.address
    project.write(4, "def broken(:\n")
    assert "SyntaxError" in await_line(process.stderr, "has changed, but ")
    assert client.call(None) == (3, 1)
    process.send_signal(signal.SIGINT)
    data, words = process.communicate(timeout=30)
    assert (process.returncode, data) == (0, "leaving\n")
    assert words.endswith("ended\n")
    with pytest.raises(NotRunning):
        client.call(None)


@pytest.mark.parametrize("extra", ["def broken(:\n", "1 / 0\n"])
def test_what_does_not_start_is_waited_for(commands, project, extra):
    project.write(1, extra)
    process = commands.spawn("run", project.tasks, "--watch")
    await_line(process.stderr, "waiting for a change of the files")
    with pytest.raises(NotRunning):
        connect("camera")
    project.write(2)
    await_line(process.stdout, "version 2 1")
    assert connect("camera").call(None, timeout=30) == (2, 1)
    # What only running it tells is found after the old one has ended.
    project.write(3, "raise SystemError('no light')\n")
    await_line(process.stderr, "no light; waiting for a change of the files")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_background_server_whose_tasks_fail_waits_for_the_next_change(commands, project):
    assert commands.run("start", project.tasks, "--watch")[0] == 0
    log = commands.spawn("logs", "camera", "-f").stdout
    await_line(log, "version 1 1")
    client = connect("camera")
    project.write(2, "raise OSError('no light')\n")
    await_line(log, "waiting for a change of the files")
    await_line(log, "OSError: no light")
    assert [server.state for server in servers()] == ["STARTING"]
    # Whoever calls it now waits for the next version, here for the one after the next.
    project.write(3, "init_task()['nothing']\n")
    await_line(log, "KeyError")
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(client.call, None, timeout=60)
        project.write(4)
        assert waiting.result() == (4, 1)
    # One that waits can be stopped, and does not come back.
    project.write(5, "raise OSError('no light')\n")
    await_line(log, "OSError: no light")
    code, _, words = commands.run("stop", "camera")
    assert code == 1
    assert "camera has ended, but failed: exit code 1: not started: OSError: no light" in words
    assert not servers()
    project.write(6)
    assert commands.run("start", project.tasks)[0] == 0
    assert client.call(None, timeout=30) == (6, 1)


def test_a_module_is_followed(commands, project, monkeypatch):
    monkeypatch.chdir(project.tasks.parent)
    process = commands.spawn("run", "camera", "--watch")
    await_line(process.stdout, "version 1 1")
    await_line(process.stderr, "taking the tasks")
    project.write(2)
    await_line(process.stdout, "version 2 1")
    assert connect("camera").call(None, timeout=30) == (2, 1)
    assert commands.run("stop", "camera")[0] == 0
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_restart_is_another_way(commands, project):
    words = commands.run("run", project.tasks, "--watch", "--restart", "on-failure")
    assert words[0] == 2
    assert "--watch and --restart cannot be combined here" in words[2]
