"""What the command prints: harmless on a terminal, untouched in a pipe, never lost unnoticed."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bgpy import Client, RemoteError, Server, servers

from .commands import CONSOLE, Commands

if TYPE_CHECKING:
    from .screens import Screen

# The window's title, the clipboard, a cleared screen, a color, the same in one byte, an override of
# the direction of text, ends of lines that are none, and what is not seen: blanks without a width,
# a soft hyphen, marks of a direction, tags, annotations.
EVIL = (
    "\x1b]0;TITLE\x07\x1b]52;c;AAAA\x07\x1b[2J\x1b[31m\x9b31m\u202e\u2066\x7f\x08\r\x85\u2028"
    "\u200b\u2060\ufeff\xad\u200e\u061c\U000e0041\ufff9\u180e\u200da\u200c"
)
RECORD = "2026-01-01T00:00:00+00:00 INFO  a forged record"
FORMATS = "".join(
    chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Cf"
)
ACTIVE = re.compile(
    f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029{re.escape(FORMATS)}]|\r(?!\n)"
)

TASKS = f"""
import sys

EVIL = {EVIL!r}

class Odd:
    def __repr__(self):
        return "odd " + EVIL

def init_task():
    print("printed", EVIL, flush=True)
    return {{}}

def exec_task(socket, state, args):
    match args:
        case "text":
            socket.respond("told " + EVIL)
        case "odd":
            socket.respond((Odd(),))
        case "error":
            socket.respond({{"message": EVIL}}, error=True)
        case _:
            raise ValueError("raised " + EVIL + str(args))

def exit_task(*_):
    pass
"""

NO_START = f"print('printed', {EVIL!r}, flush=True)\nraise ValueError({EVIL!r})\n"


@pytest.fixture
def evil(commands: Commands, tmp_path: Path) -> Commands:
    """Start a server whose tasks say what no terminal should hear."""
    tasks = tmp_path / "evil.py"
    tasks.write_text(TASKS)
    code, _, words = commands.run("start", tasks)
    assert code == 0, words
    return commands


def shown(screen: Screen) -> str:
    """Return what a command has written to its terminal."""
    screen.end()
    return screen.written.decode()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["logs", "evil"], "printed"),
        (["call", "evil", '"text"'], "told"),
        (["call", "evil", '"odd"', "--repr"], "odd"),
        (["call", "evil", '"error"'], "TITLE"),
        (["call", "evil", '"raise"'], "raised"),
        (["call", "evil", json.dumps(EVIL)], "raised"),
        (["status", "evil", "--color", "never"], "READY"),
        (["status", "evil", "-o", "json"], "READY"),
        (["ps", "--color", "never"], "evil"),
        (["doctor", "--color", "never"], "server"),
        (["logs", "evil", "--since", EVIL], "since"),
        (["logs", "evil", "-n", EVIL], "TITLE"),
        (["status", EVIL], "TITLE"),
        (["stop", "evil\u200b"], "evil\\u200b"),
        (["kill", "./evil\u202e"], "./evil\\u202e"),
        (["ping", f"host{EVIL}:80"], "TITLE"),
        (["ping", "ho\ufeffst.invalid:80", "--timeout", "9"], "ho\\ufeffst"),
        (["call", "evil", EVIL], "JSON"),
        (["start", f"{EVIL}.py"], "TITLE"),
        (["start", "evil.py", "--name", f"evil{EVIL}"], "TITLE"),
        (["start", "evil.py", "--cwd", f"/{EVIL}"], "TITLE"),
        (["ev\u2060il"], "ev\\u2060il"),
        (["ps", f"--{EVIL}"], "TITLE"),
        (["call", "evil", "1", "--token-file", f"/{EVIL}"], "TITLE"),
    ],
)
def test_a_terminal_hears_nothing_of_others(
    evil: Commands,
    screen: Callable[..., Screen],
    arguments: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    evil.run("call", "evil", '"raise"')
    monkeypatch.chdir(tmp_path)
    # The command's own colors are not what is looked for.
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(screen(*arguments, size=(200, 50)))
    assert told in text
    assert not ACTIVE.search(text), repr(ACTIVE.search(text))


def test_what_is_joined_is_shown_as_it_is(
    commands: Commands, screen: Callable[..., Screen], tasks: Path
) -> None:
    assert commands.run("start", tasks)[0] == 0
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    joined = f"{family} \u0645\u06cc\u200c\u062e e\u0301"
    assert commands.run("call", "camera", json.dumps(joined))[0] == 0
    text = shown(screen("logs", "camera", size=(200, 50)))
    assert joined in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [[], ["-o", "json"], ["--exist-ok"], ["--no-wait"]])
def test_a_server_whose_name_cannot_be_written_is_told_of(
    commands: Commands, tasks: Path, words: list[str]
) -> None:
    closed = Commands(["sh", "-c", 'exec "$@" >&-', "sh", *CONSOLE])
    for run in (commands.run, closed.run):
        with open("/dev/full", "w") as full:
            options = {"stdout": full} if run == commands.run else {}
            code, _, told = run("start", tasks, *words, **options)
        assert code == 1
        (error,) = [line for line in told.splitlines() if line.startswith("error: ")]
        assert error.startswith("error: cannot write to standard output: ")
        if words == ["--no-wait"]:
            assert "'camera' is starting; see `bgpy status camera`" in error
            assert commands.run("wait", "camera", "--for", "ready")[0] == 0
        (info,) = servers()
        if words != ["--no-wait"]:
            assert f"the server 'camera' is running (process {info.pid}) at {info.address}" in error
            assert "`bgpy stop camera`" in error
        assert commands.run("stop", "camera")[0] == 0
    # What does not start is not said to run.
    with open("/dev/full", "w") as full:
        code, _, told = commands.run("start", tasks.with_name("none.py"), *words, stdout=full)
    assert code == 2
    assert "running" not in told


def test_followed_logs_are_escaped_and_shown_at_once(
    evil: Commands, screen: Callable[..., Screen]
) -> None:
    follower = screen("logs", "evil", "-f", "--color", "never", size=(200, 50))
    follower.wait_for("printed")
    evil.run("call", "evil", '"raise"')
    follower.wait_for("raised \\x1b]0;TITLE\\x07")
    assert not ACTIVE.search(follower.written.decode())


def test_a_start_that_fails_shows_its_output_escaped(
    commands: Commands, screen: Callable[..., Screen], tmp_path: Path
) -> None:
    tasks = tmp_path / "broken.py"
    tasks.write_text(NO_START)
    text = shown(screen("start", tasks, size=(200, 50)))
    assert "\\x1b]52;c;AAAA\\x07" in text
    assert not ACTIVE.search(text)


def test_in_a_pipe_everything_stays_as_it_is(evil: Commands) -> None:
    printed = "printed " + EVIL
    _, data, _ = evil.run("logs", "evil", text=False, given=b"")  # type: ignore[arg-type]
    assert printed.encode() in data  # type: ignore[operator]
    _, data, _ = evil.run("call", "evil", '"text"')
    assert json.loads(data) == "told " + EVIL


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x85", "\u2028", "\x0b", "\n\t", "\n\n"])
def test_no_peer_can_add_a_record(
    start: Callable[..., Server], tmp_path: Path, commands: Commands, end: str
) -> None:
    tasks = tmp_path / "tasks.py"
    tasks.write_text(TASKS)
    server = start(init_file=str(tasks), allow_pickle=False)
    client = Client(server.host, server.port, allow_pickle=False)
    with pytest.raises(RemoteError):
        client.call("x" + end + RECORD)
    # The caller is told before the log.
    server.stop()
    assert server.log_file is not None
    with open(server.log_file, newline="") as log:
        lines = log.read().splitlines()
    assert any("a forged record" in line for line in lines)
    assert not any(line.startswith("2026-01-01") for line in lines)
    _, data, _ = commands.run("logs", f"{server.host}:{server.port}", "-n", 200)
    assert not any(line.startswith("2026-01-01") for line in data.splitlines())


PRINTING = [
    ["call", "evil", '"text"'],
    ["logs", "evil"],
    ["status", "evil"],
    ["status", "evil", "-o", "json"],
    ["ps"],
    ["ps", "-o", "json"],
    ["ping", "evil"],
    ["doctor", "-o", "json"],
    ["systemd", "evil"],
    ["token", "create"],
    ["completions", "bash"],
    ["version"],
    ["--version"],
    ["--help"],
    ["call", "--help"],
]


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_data_that_cannot_be_written_are_a_failure(evil: Commands, arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        code, _, words = evil.run(*arguments, stdout=full)
    assert code == 1
    assert "error: cannot write to standard output: No space left" in words
    assert "panick" not in words


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
@pytest.mark.skipif(sys.platform != "linux", reason="others do not tell")
def test_a_closed_standard_output_is_a_failure(evil: Commands, arguments: list[str]) -> None:
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", *CONSOLE]
    code, _, words = Commands(shell).run(*arguments)
    assert code == 1
    assert words.endswith("error: cannot write to standard output: it is closed\n")


def test_who_prints_nothing_needs_no_standard_output(evil: Commands) -> None:
    shell = Commands(["sh", "-c", 'exec "$@" >&-', "sh", *CONSOLE])
    assert shell.run("call", "evil", '"text"', "--no-wait")[0] == 0
    assert shell.run("stop", "evil")[0] == 0


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_reader_that_has_gone_is_none(evil: Commands, arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        code, _, words = evil.run(*arguments, stdout=write)
    finally:
        os.close(write)
    assert code == evil.run(*arguments)[0]
    assert "cannot write" not in words


NUMBERS = [
    "0",
    "-1",
    *(
        str(sign * (1 << bits) + step)
        for bits in (63, 64, 128, 1023, 14000)
        for sign in (1, -1)
        for step in (-1, 0, 1)
    ),
]


def test_whole_numbers_are_exact(camera: Commands) -> None:
    argument = f"[{','.join(NUMBERS)}]"
    code, data, _ = camera.run("call", "camera", argument)
    assert code == 0
    assert data.strip() == f'{{"args":{argument},"calls":1}}'
    for number in NUMBERS:
        assert camera.run("call", "camera", number)[1].strip().startswith(f'{{"args":{number},')


@pytest.mark.parametrize("number", ["1e400", "-1e400", "[1e309]", '{"a": 1e99999999999}'])
def test_a_float_that_is_none_is_refused(camera: Commands, number: str) -> None:
    code, _, words = camera.run("call", "camera", number)
    assert code == 2
    assert "too large for a float" in words


@pytest.mark.parametrize(
    "limit", ["1" + "0" * 10, "1" + "0" * 18, "18" + "0" * 18, "5" + "0" * 15 + "h"]
)
def test_time_limits_that_no_clock_reaches_are_none(
    commands: Commands, tasks: Path, limit: str
) -> None:
    for arguments in (
        ["start", tasks, "--idle-timeout", limit, "--timeout", limit],
        ["ping", "camera", "--timeout", limit],
        ["call", "camera", "1", "--timeout", limit],
        ["status", "camera", "--timeout", limit],
        ["ps", "--timeout", limit],
        ["wait", "camera", "--for", "ready", "--timeout", limit],
        ["logs", "camera", "--timeout", limit],
        ["stop", "camera", "--timeout", limit],
    ):
        code, _, words = commands.run(*arguments)
        assert code == 0, (arguments, words)
