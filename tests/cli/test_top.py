"""`bgpy top`: shows servers on a terminal, as a person sees them."""

from __future__ import annotations

import os
import re
import signal

import pytest

TASKS = """
def init_task(args):
    print("the trainer is warm", flush=True)
    return {}

def exec_task(client_socket, state, args):
    print(args, flush=True)

def exit_task(client_socket, state, args):
    pass
"""

SIZES = [(80, 24), (40, 10)]


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


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "40x10"])
def test_it_shows_servers_and_the_log_of_one(server, top, size):
    server("trainer")
    screen = top(size=size)
    text = screen.wait_for("trainer", "READY", "log of trainer", "the trainer is warm")
    assert text.splitlines()[0].split()[:3] == ["NAME", "STATE", "CALLS/S"]
    assert ("UPTIME" in text) == (size[0] == 80)
    screen.wait(lambda _: re.search(r"\d\.\d ms", screen.line_with("READY")))
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
    screen.wait(lambda text: re.search(r"trainer\s+READY\s+0\.0", text))
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
