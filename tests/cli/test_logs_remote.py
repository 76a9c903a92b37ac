"""`bgpy logs HOST:PORT`: the log of a server that is not in the registry, read by the server."""

from __future__ import annotations

import os
import signal

import pytest
from support.processes import KILL

from bgpy import Client, token_create

from .commands import HOST, LIMIT_S

TASKS = """\
from pathlib import Path

from bgpy import respond

def init_task():
    return {}

def exec_task(client_socket, state, args):
    print(args["say"], flush=True)
    if "until" in args:
        while not Path(args["until"]).exists():
            pass
    respond(client_socket, None)

def exit_task(client_socket, state, args):
    respond(client_socket, None)
"""


class Elsewhere:
    """A server with a log, and commands that find it by nothing but its address."""

    def __init__(self, commands, path, monkeypatch, *options) -> None:
        token = token_create()
        self.commands, self.token_file, self.log = commands, path / "token", path / "server.log"
        self.token_file.write_text(f"{token}\n")
        (path / "tasks.py").write_text(TASKS)
        monkeypatch.setenv("BGPY_TOKEN", token)
        options = options or ("--log-file", self.log)
        self.serving = commands.spawn("server", HOST, 0, "-i", path / "tasks.py", *options)
        monkeypatch.delenv("BGPY_TOKEN")
        said = ""
        while "ready at" not in said:
            assert self.serving.poll() is None
            if options[0] == "--log-file":
                said = self.log.read_text() if self.log.exists() else ""
            else:
                said += self.serving.stderr.readline()
        self.port = int(said.partition("listens on")[2].split()[0].rpartition(":")[2])
        self.client = Client(HOST, self.port, token=token)
        # From here on, this machine knows nothing of the server.
        monkeypatch.setenv("BGPY_RUNTIME_DIR", str(path / "elsewhere"))
        self.client.ping()

    @property
    def arguments(self):
        return ("logs", f"{HOST}:{self.port}", "--token-file", self.token_file)

    def logs(self, *options):
        return self.commands.run(*self.arguments, *options)


@pytest.fixture
def elsewhere(commands, tmp_path, monkeypatch):
    return Elsewhere(commands, tmp_path, monkeypatch)


def write(path, lines):
    with path.open("a") as log:
        log.write("".join(f"line {number}\n" for number in lines))


def test_the_end_of_the_log(elsewhere):
    write(elsewhere.log, range(10_000))
    code, data, words = elsewhere.logs()
    assert (code, words) == (0, "")
    assert data == "".join(f"line {number}\n" for number in range(9_900, 10_000))
    assert elsewhere.logs("-n", 2) == (0, "line 9998\nline 9999\n", "")
    assert elsewhere.logs("-n", 0) == (0, "", "")
    assert elsewhere.logs("-n", 99_999) == (0, elsewhere.log.read_text(), "")
    assert elsewhere.logs("--since", "1d") == (0, elsewhere.log.read_text(), "")
    assert elsewhere.logs("--since", "2100-01-01T00:00:00Z") == (0, "", "")


def test_it_is_followed_until_the_server_ends(elsewhere):
    write(elsewhere.log, [1, 2])
    process = elsewhere.commands.spawn(*elsewhere.arguments, "-n", 1, "-f")
    assert process.stdout.readline() == "line 2\n"
    for number in range(3, 6):
        write(elsewhere.log, [number])
        assert process.stdout.readline() == f"line {number}\n"
    elsewhere.client.terminate()
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0


def test_ctrl_c_ends_the_following(elsewhere):
    write(elsewhere.log, [1])
    process = elsewhere.commands.spawn(*elsewhere.arguments, "-n", 1, "-f")
    assert process.stdout.readline() == "line 1\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT_S)
    # The program dies of the signal, which a shell tells as 130 as well.
    assert process.returncode in (130, -signal.SIGINT)


def test_a_time_limit_ends_the_following(elsewhere):
    write(elsewhere.log, [1])
    assert elsewhere.logs("-n", 1, "-f", "--timeout", 2) == (0, "line 1\n", "")


def test_a_busy_server_shows_what_its_task_prints(commands, tmp_path, monkeypatch):
    release = tmp_path / "release"
    elsewhere = Elsewhere(commands, tmp_path, monkeypatch)
    elsewhere.client.execute({"say": "at work", "until": str(release)})
    while elsewhere.client.status()["state"] != "BUSY":
        pass
    write(elsewhere.log, ["of the busy"])
    assert elsewhere.logs("-n", 1) == (0, "line of the busy\n", "")
    release.touch()


def test_a_server_that_logs_to_no_file(commands, tmp_path, monkeypatch):
    elsewhere = Elsewhere(commands, tmp_path, monkeypatch, "--log-level", "info")
    code, data, words = elsewhere.logs()
    assert (code, data) == (1, "")
    assert "logs to no file" in words


def test_who_has_no_token_sees_nothing(elsewhere):
    elsewhere.token_file.write_text(f"{token_create()}\n")
    code, data, _ = elsewhere.logs()
    assert (code, data) == (5, "")


def test_a_server_that_is_not_there(elsewhere):
    os.kill(elsewhere.serving.pid, KILL)
    elsewhere.serving.wait(LIMIT_S)
    code, data, _ = elsewhere.logs()
    assert (code, data) == (3, "")
