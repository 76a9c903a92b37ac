"""A server's name, address and socket mean the same server to each command, whatever its state."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import pytest

from bgpy import connect, servers
from cli.commands import Commands


@dataclass
class Target:
    """A server, and one of the ways to name it."""

    commands: Commands
    text: str
    pipe: str

    def run(self, command: str, *options: str) -> tuple[int, str]:
        """Run a command on the server; return its code, and what it printed of the state."""
        code, data, words = self.commands.run(command, self.text, *options)
        found = re.search(r"READY|BUSY|STOPPING|EXITED|FAILED", data)
        return code, found[0] if found else words.replace(self.text, "TARGET")


@pytest.fixture(params=["name", "address", "socket"])
def target(request, camera, tmp_path) -> Target:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (server,) = servers()
    return Target(camera, str(getattr(server, request.param)), str(pipe))


def test_while_it_runs(target):
    assert target.run("ping")[0] == 0
    assert target.run("status") == (0, "READY")
    assert target.run("call", '{"add": 1}')[0] == 0
    assert target.run("logs")[0] == 0
    assert target.run("wait", "--for", "ready") == (0, "")
    assert target.run("wait", "--for", "exit", "--timeout", "0.1")[0] == 4
    assert target.run("restart")[0] == 0


def test_while_it_is_stopping(target):
    connect("camera").execute({"open": target.pipe})
    assert target.run("stop", "--grace", "0.2")[0] == 4
    assert target.run("status") == (0, "STOPPING")
    code, words = target.run("ping")
    assert (code, "is stopping" in words) == (3, True), words
    code, words = target.run("wait", "--for", "exit", "--timeout", "0.2")
    assert (code, "stopping" in words) == (4, True), words
    assert target.run("logs")[0] == 0
    code, words = target.run("stop", "--grace", "0.2")
    assert (code, "--force" in words) == (4, True), words
    code, words = target.run("stop", "--grace", "0.2", "--force")
    assert (code, words.startswith("Killed TARGET")) == (0, True), words


def test_one_that_is_stopping_can_be_killed(target):
    connect("camera").execute({"open": target.pipe})
    assert target.run("stop", "--grace", "0.2")[0] == 4
    code, words = target.run("kill")
    assert (code, words.startswith("Killed TARGET")) == (0, True), words


def test_after_its_end(target):
    assert target.run("stop")[0] == 0
    assert target.run("status") == (3, "EXITED")
    assert target.run("wait", "--for", "exit") == (0, "")
    assert target.run("logs")[0] == 0
    code, words = target.run("kill")
    assert (code, "TARGET has already ended" in words) == (3, True), words
    assert target.run("restart")[0] == 0
