"""Colors: on a terminal only, unless `--color` or `NO_COLOR` says otherwise."""

from __future__ import annotations

import re

import pytest

from bgpy import connect

COLOR = re.compile(r"\x1b\[[\d;]*m")
COMMANDS = {
    "call": ["call", "camera", '{"a": [1, null, "b"]}'],
    "raise": ["call", "camera", '"raise"'],
    "logs": ["logs", "camera"],
    "ps": ["ps"],
    "status": ["status", "camera"],
}


def on_terminal(screen, *arguments):
    """Return what a command writes to a terminal that is wide enough for its lines."""
    shown = screen(*arguments, size=(300, 50))
    shown.end()
    return shown.written.decode().replace("\r\n", "\n")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_they_are_for_terminals(camera, screen, command, monkeypatch):
    painted = on_terminal(screen, *command)
    assert COLOR.search(painted)
    assert not COLOR.search(on_terminal(screen, *command, "--color", "never"))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOR.search(on_terminal(screen, *command))
    assert COLOR.search(on_terminal(screen, *command, "--color", "always"))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_pipe_gets_none(camera, command):
    plain = "".join(camera.run(*command)[1:])
    assert "\x1b" not in plain
    assert COLOR.search("".join(camera.run(*command, "--color", "always")[1:]))


def test_json_is_the_same_without_them(camera):
    call = ["call", "camera", r'{"a": [-1.5, true, null, "b\"\n"]}']
    data, painted = (camera.run(*call, "--color", when)[1] for when in ("never", "always"))
    assert COLOR.sub("", painted).replace('"calls":2', '"calls":1') == data


def test_a_traceback_is_dim_and_its_exception_red(camera, screen):
    text = on_terminal(screen, *COMMANDS["raise"])
    assert "\x1b[2mTraceback (most recent call last):\x1b[0m\n" in text
    assert "\x1b[31mValueError: no film in the camera\x1b[0m\n" in text


def test_levels_have_their_colors(camera, screen):
    connect("camera").execute("raise")
    connect("camera").call(1)
    text = on_terminal(screen, "logs", "camera")
    assert re.search(
        r"\x1b\[2m\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d\x1b\[0m INFO  ready", text
    )
    assert re.search(r"\x1b\[0m \x1b\[31mERROR\x1b\[0m Exec failed", text)
    lines = COLOR.sub("", text).splitlines()
    assert lines == camera.run("logs", "camera")[1].splitlines()


def test_what_tasks_print_in_color_stays_escaped(camera, screen):
    connect("camera").call("\x1b[31mred")
    text = on_terminal(screen, "logs", "camera")
    assert "\\x1b[31mred" in text
    text = on_terminal(screen, "call", "camera", '"\\u001b[31mred"')
    assert "\\u001b[31mred" in text
