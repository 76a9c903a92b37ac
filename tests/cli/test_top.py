"""`bgpy top`: shows servers on a terminal, as a person sees them."""

from __future__ import annotations

import os
import re
import signal

import pytest

from bgpy import connect

TASKS = """
def init_task(args):
    print("the trainer is warm", flush=True)
    return {}

def exec_task(client_socket, state, args):
    print(args, flush=True)

def exit_task(client_socket, state, args):
    pass
"""

SIZES = [(80, 24), (40, 10), (160, 50)]


@pytest.fixture
def tasks(tmp_path):
    path = tmp_path / "tasks.py"
    path.write_text(TASKS)
    return path


@pytest.fixture
def server(commands, tasks):
    """Return a function that starts a server with a name."""

    def server(name):
        code, _, words = commands.run("start", tasks, "--name", name)
        assert code == 0, words

    return server


@pytest.fixture
def top(screen):
    """Return a function that starts `bgpy top` on a terminal of a size."""
    return lambda *options, size=SIZES[0]: screen("top", *options, size=size)


def has_left(screen):
    assert screen.end() == 0
    assert screen.is_restored()


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "40x10", "160x50"])
def test_it_shows_servers_and_the_log_of_one(server, top, size):
    server("trainer")
    screen = top(size=size)
    text = screen.wait_for("trainer", "READY", "log of trainer", "the trainer is warm")
    titles = text.splitlines()[0].split()
    assert titles[:5] == ["NAME", "STATE", "CPU", "BUSY", "CALLS/S"]
    assert ("UPTIME" in titles) == (size[0] >= 80)
    assert ("ADDRESS" in titles) == (size[0] >= 160)
    screen.wait(lambda _: re.search(r" \d+% ", screen.line_with("READY")))
    assert all(len(line) <= size[0] for line in screen.text.splitlines())
    screen.press(b"q")
    has_left(screen)


@pytest.mark.parametrize("key", [b"q", b"\x1b", b"\x03"], ids=["q", "esc", "ctrl-c"])
def test_keys_leave(top, key):
    screen = top()
    screen.wait_for("No servers are running", "q quit")
    screen.press(key)
    has_left(screen)


def test_the_log_is_followed_and_calls_are_counted(commands, server, top):
    server("trainer")
    screen = top("--interval", 0.2)
    screen.wait(lambda text: re.search(r"trainer\s+READY\s+\d+%\s+-\s+0\.0", text))
    # Without an answer to wait for there is nothing that the command could print.
    commands.run("call", "trainer", '"epoch 7"')
    screen.wait_for("epoch 7")
    screen.press(b"q")
    has_left(screen)


def test_another_server_is_selected(server, top):
    server("first")
    server("second")
    screen = top()
    screen.wait_for("log of second", "first")
    screen.press(b"j")
    screen.wait_for("log of first")
    screen.press(b"\x1b[A")
    screen.wait_for("log of second")
    screen.press(b"q")
    has_left(screen)


def test_servers_come_and_go(commands, server, top):
    screen = top("--interval", 0.1, size=(40, 10))
    screen.wait_for("No servers are running")
    server("trainer")
    screen.wait(lambda text: re.search(r"trainer\s+READY", text))
    assert commands.run("stop", "trainer")[0] == 0
    screen.wait(lambda text: re.search(r"trainer\s+EXITED", text))
    server("trainer")
    screen.wait(lambda text: re.search(r"trainer\s+READY", text) and "EXITED" not in text)
    assert commands.run("kill", "trainer")[0] == 0
    screen.wait(lambda text: re.search(r"trainer\s+FAILED", text))
    screen.press(b"q")
    has_left(screen)


BUSY = """
import time

def init_task(args):
    return {}

def exec_task(client_socket, state, args):
    end = time.monotonic() + 600
    while time.monotonic() < end:
        pass
"""


def test_a_busy_server_uses_a_cpu(commands, tmp_path, top):
    tasks = tmp_path / "busy.py"
    tasks.write_text(BUSY)
    assert commands.run("start", tasks)[0] == 0
    commands.run("call", "busy", "1", "--no-wait")
    screen = top("--interval", "500ms")
    # Other processes may take a part of the CPU.
    screen.wait(lambda text: re.search(r"busy\s+BUSY\s+([2-9]\d|1\d\d)%\s+[\d.]+s ", text))
    screen.press(b"q")
    has_left(screen)
    assert commands.run("kill", "busy")[0] == 0


def test_a_server_is_stopped_after_a_question(commands, server, top):
    server("trainer")
    screen = top("--interval", 0.2)
    screen.wait_for("READY", "s stop")
    screen.press(b"s")
    screen.wait_for("Stop trainer? y/n")
    screen.press(b"n")
    screen.wait(lambda text: "y/n" not in text and "s stop" in text)
    assert connect("trainer").status()["state"] == "READY"
    screen.press(b"s")
    screen.wait_for("Stop trainer? y/n")
    screen.press(b"y")
    screen.wait_for("Stopped trainer.", "EXITED")
    screen.press(b"s")
    screen.wait_for("Stop trainer? y/n")
    screen.press(b"y")
    screen.wait_for("trainer has already ended")
    screen.press(b"q")
    has_left(screen)


def test_a_server_is_restarted_while_the_view_goes_on(commands, server, tasks, top):
    server("trainer")
    pid = connect("trainer").status()["pid"]
    screen = top("--interval", 0.2, size=(160, 50))
    screen.wait_for("READY", f"  {pid}  ")
    screen.press(b"r")
    screen.wait_for("Restart trainer? y/n")
    screen.press(b"y")
    screen.wait_for("Restarted trainer (process")
    again = connect("trainer").status()["pid"]
    assert again != pid
    screen.wait_for("READY", f"  {again}  ")
    screen.resize(40, 10)
    screen.wait(lambda text: "ADDRESS" not in text and "trainer" in text)
    tasks.write_text("def init_task(:")
    screen.press(b"r")
    screen.wait_for("Restart trainer? y/n")
    screen.press(b"y")
    screen.wait_for("trainer cannot be restarted, so it was")
    assert re.search(r"trainer\s+READY", screen.text)
    screen.press(b"q")
    has_left(screen)


SLOW = """
import time

def init_task(args):
    return {}

def exec_task(client_socket, state, args):
    with open(args) as pipe:  # until somebody has opened it for writing
        pipe.read()
"""


def test_quitting_waits_for_a_restart(commands, tmp_path, top):
    tasks = tmp_path / "slow.py"
    tasks.write_text(SLOW)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert commands.run("start", tasks)[0] == 0
    before = connect("slow").status()["pid"]
    assert commands.run("call", "slow", f'"{pipe}"', "--no-wait")[0] == 0
    screen = top("--interval", 0.2)
    screen.wait_for("BUSY")
    screen.press(b"r")
    screen.wait_for("Restart slow? y/n")
    screen.press(b"y")
    screen.wait_for("Waiting up to 10s for the running task of slow.")
    screen.wait_for("STOPPING")
    screen.press(b"q")
    screen.wait_for("Waiting for what was begun")
    pipe.write_text("go on")
    assert screen.end() == 0
    assert "Restarted slow" in screen.text
    assert connect("slow").status()["pid"] != before


def test_the_log_is_shown_in_full_height(commands, tmp_path, server, top):
    server("trainer")
    screen = top("--interval", 0.2, size=(40, 10))
    screen.wait_for("READY", "log of trainer")
    for key in (b"f", b"\r"):
        screen.press(key)
        text = screen.wait(lambda text: "READY" not in text and "log of trainer" in text)
        assert text.splitlines()[0].startswith(" log of trainer")
        screen.wait_for("the trainer is warm", "Esc back")
        screen.press(b"\x1b")
        screen.wait_for("READY")
    commands.run("call", "trainer", '"' + "0123456789" * 6 + '"')
    screen.press(b"f")
    # A long line is broken, not cut.
    screen.wait_for("0123456789" * 4 + "\n" + "0123456789" * 2)
    screen.press(b"q")
    has_left(screen)


def test_the_keys_are_shown(server, top):
    server("trainer")
    screen = top(size=(40, 10))
    screen.wait_for("READY")
    screen.press(b"?")
    screen.wait_for("stop it, after a question", "Ctrl-C")
    screen.press(b"?")
    screen.wait_for("READY")
    screen.press(b"q")
    has_left(screen)


def test_the_terminal_becomes_smaller_and_larger(server, top):
    server("trainer")
    screen = top()
    screen.wait_for("trainer", "UPTIME")
    screen.resize(30, 2)
    screen.wait(lambda text: "UPTIME" not in text and "READY" in text)
    screen.resize(80, 24)
    screen.wait_for("UPTIME", "log of trainer")
    screen.press(b"q")
    has_left(screen)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_and_the_terminal_is_restored(top, number):
    screen = top()
    screen.wait_for("No servers are running")
    os.kill(screen.process.pid, number)
    assert screen.end() == -number
    assert screen.is_restored()


def colors(screen):
    return {cell.fg for row in screen.screen.buffer.values() for cell in row.values()}


@pytest.mark.parametrize(
    ("options", "no_color", "wanted"),
    [
        ([], "", True),
        ([], "1", False),
        (["--color=always"], "1", True),
        (["--color=never"], "", False),
    ],
    ids=["auto", "no-color", "always", "never"],
)
def test_colors(server, top, monkeypatch, options, no_color, wanted):
    monkeypatch.setenv("NO_COLOR", no_color)
    server("trainer")
    screen = top(*options)
    screen.wait_for("READY", "the trainer is warm")
    assert (colors(screen) > {"default"}) == wanted
    screen.press(b"q")
    has_left(screen)


def test_without_a_terminal_it_names_the_command_to_use(each_form):
    code, data, words = each_form.run("top")
    assert (code, data) == (2, "")
    assert "bgpy ps" in words


@pytest.mark.parametrize("interval", ["0", "-1", "soon"])
def test_intervals_that_cannot_be(commands, interval):
    code, _, words = commands.run("top", "--interval", interval)
    assert code == 2
    assert interval in words
