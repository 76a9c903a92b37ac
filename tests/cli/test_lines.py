"""Prints of tasks and records stand in one stream line by line, and in their order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading

import pytest
from support.processes import KILL

from bgpy import connect

from .commands import LIMIT_S

TASKS = """
def init_task():
    return {}

def exec_task(client_socket, state, args):
    for number in range(5):
        print("line", number, "of", 5)
    client_socket.respond(None)

def exit_task(*_):
    print("bye")
"""
RECORD = r"\d{4}-\d\d-\d\dT[^ ]+ (DEBUG|INFO) +(?!.*line \d)[^\n]*"
LINE = re.compile(rf"line \d of 5|bye|{RECORD}")


@pytest.fixture(params=["pipe", "terminal"])
def stream(request):
    """Return both ends of what a server prints to."""
    read, write = os.openpty() if request.param == "terminal" else os.pipe()
    yield read, write
    os.close(read)


def everything(read, text):
    """Read to the end."""
    while True:
        try:
            piece = os.read(read, 1 << 16)
        except OSError:  # a terminal whose other side is closed
            return
        if not piece:
            return
        text += piece


@pytest.mark.parametrize("unbuffered", [False, True])
def test_no_line_is_torn(commands, tmp_path, monkeypatch, stream, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", "1" if unbuffered else "")
    tasks, (read, write), text = tmp_path / "chat.py", stream, bytearray()
    tasks.write_text(TASKS)
    options = {"stdin": subprocess.DEVNULL, "stdout": write, "stderr": write}
    server = commands.spawn("run", tasks, "--log-level", "DEBUG", **options)
    os.close(write)
    reader = threading.Thread(target=everything, args=(read, text))
    reader.start()
    assert commands.run("wait", "chat", "--for", "ready", "--timeout", LIMIT_S)[0] == 0

    def chat():
        for _ in range(50):
            with connect("chat") as client:
                client.call(None, timeout=LIMIT_S)

    threads = [threading.Thread(target=chat) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The last task may still be between its response and its end.
    assert commands.run("wait", "chat", "--for", "ready", "--timeout", LIMIT_S)[0] == 0
    server.send_signal(signal.SIGINT)
    assert server.wait(LIMIT_S) == 0
    reader.join(LIMIT_S)
    lines = text.decode().splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert [line for line in lines if line.startswith("line 0")]
    # What is printed between two records stands between them.
    ends = [re.sub(r"^2.* INFO +", "", line) for line in lines[-4:]]
    assert ends == ["stop requested", "running exit_task", "bye", "ended"]


NOT_STARTED = {
    "raises": (
        "def helper():\n    return open('/nowhere')\n\ndef init_task():\n    helper()\n"
        "\nexec_task = exit_task = print\n",
        "in helper",
        "FileNotFoundError",
    ),
    "imports": ("import nothing_of_that_name\n", "line 1, in <module>", "ModuleNotFoundError"),
    "wrong": ("def init_task(:\n", "line 1", "SyntaxError"),
}


@pytest.fixture(params=NOT_STARTED)
def broken(request, tmp_path):
    """Return a file with tasks that do not start, and what their traceback tells."""
    text, *parts = NOT_STARTED[request.param]
    path = tmp_path / "broken.py"
    path.write_text(text)
    return path, parts


def check(log, path, parts):
    """Confirm that a log has the traceback, with frames of the user's alone."""
    assert "CRITICAL" in log
    assert f'File "{path}"' in log
    for part in parts:
        assert part in log
    assert "importlib" not in log


def test_a_start_in_the_foreground_that_fails_tells_where(commands, broken):
    path, parts = broken
    for options in (("run", path), ("server", "127.0.0.1", 0, "--init-file", path)):
        code, _, words = commands.run(*options)
        assert code == 1
        check(words, path, parts)


def test_a_start_that_nobody_waits_for_tells_where(commands, broken):
    path, parts = broken
    assert commands.run("start", path, "--no-wait")[0] == 0
    commands.run("wait", "broken", "--for", "ready", "--timeout", 2)
    check(commands.run("logs", "broken")[1], path, parts)


def test_a_start_that_fails_is_told_once(commands, broken):
    path, parts = broken
    code, _, words = commands.run("start", path)
    assert code == 1
    assert "could not be started:\n" in words
    assert len(re.findall(rf"^{parts[1]}", words, re.MULTILINE)) == 1, words


@pytest.mark.parametrize("device", ["/dev/full", "/dev/zero", "/dev/null"])
def test_a_device_is_no_log_to_read(commands, tasks, device):
    assert commands.run("start", tasks, "--log-file", device)[0] == 0
    code, data, words = commands.run("logs", "camera")
    assert (code, data) == (1, "")
    assert f"'{device}': it is not a regular file and cannot be read back" in words
    connect("camera").execute("raise")
    os.kill(connect("camera").status()["pid"], KILL)
    assert commands.run("wait", "camera", "--for", "exit", "--timeout", LIMIT_S)[0] == 0
    code, data, _ = commands.run("status", "camera")
    assert code == 3
    assert "\0" not in data


def test_a_fifo_that_nobody_reads_is_refused(commands, tasks, tmp_path):
    fifo = tmp_path / "log"
    os.mkfifo(fifo)
    for command in (("start", tasks, "--timeout", 5), ("run", tasks)):
        code, _, words = commands.run(*command, "--log-file", fifo)
        assert code == 1
        assert f"'{fifo}': it is a FIFO, and nobody reads from it yet" in words
