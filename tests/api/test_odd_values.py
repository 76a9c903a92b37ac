"""Values at the edge: times that no clock reaches, and flags that Python would keep for ever."""

from __future__ import annotations

import pickle
import re
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bgpy import Client, ConfigError, SerializationError, Server

TASKS = """
import re, ssl
import odd_flags

def init_task():
    return {}

def exec_task(socket, state, args):
    if args == "count":
        classes = [re.RegexFlag, ssl.Options, *odd_flags.ALL]
        return socket.respond([len(one._value2member_map_) for one in classes])
    socket.respond(args)

def exit_task(*_):
    pass
"""

FLAGS = """
import enum

class Keep(enum.Flag, boundary=enum.KEEP):
    A = 1
    B = 2
    D = 8

class Number(enum.IntFlag):
    A = 1
    B = 2

class Conform(enum.Flag, boundary=enum.CONFORM):
    A = 1
    B = 2

class Eject(enum.IntFlag, boundary=enum.EJECT):
    A = 1
    B = 2

class Strict(enum.Flag):
    A = 1
    B = 2
    C = 4

class Wide(enum.Flag):
    _ignore_ = "bit"
    for bit in range(40):
        vars()[f"BIT{bit}"] = 1 << bit

class Plain(enum.Enum):
    A = 1

ALL = [Keep, Number, Conform, Eject, Strict, Wide, Plain]
"""


@pytest.fixture
def client(start: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    # Both sides have it installed.
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "odd_flags.py").write_text(FLAGS)
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.delitem(sys.modules, "odd_flags", raising=False)
    (tmp_path / "tasks.py").write_text(TASKS)
    server = start(init_file=str(tmp_path / "tasks.py"), allow_pickle=False)
    return Client(server.host, server.port, allow_pickle=False)


def test_members_and_combinations_of_named_flags_travel(client: Client) -> None:
    from odd_flags import Conform, Eject, Keep, Number, Plain, Strict  # type: ignore[import-not-found]

    for value in (
        re.IGNORECASE | re.MULTILINE,
        re.RegexFlag(0),
        ssl.OP_NO_SSLv3 | ssl.OP_NO_TLSv1,
        Keep.A | Keep.D,
        ~Number.A,
        Number.A | Number.B,
        Conform(7),
        Eject.A | Eject.B,
        Strict.A | Strict.C,
        ~Strict.B,
        Plain.A,
    ):
        assert client.call(value) is value


def test_what_is_made_of_no_named_flags_is_refused(client: Client) -> None:
    from odd_flags import Keep, Number

    before = client.call("count")
    for number in (1 << 12, 1 << 70, (1 << 20) + 1):
        for value in (
            re.RegexFlag(number),
            Keep(number),
            Number(number),
            ssl.Options(number << 40),
        ):
            with pytest.raises(SerializationError, match="named flags"):
                client.call([value])
    assert client.call("count") == before


def test_what_is_kept_for_a_peer_is_bounded(client: Client) -> None:
    from odd_flags import Wide

    def call(first: int, count: int) -> None:
        client.call([Wide(number) for number in range(first, first + count)])

    call(1, 3000)
    with pytest.raises(SerializationError, match="has too many members"):
        call(3001, 3000)
    with pytest.raises(SerializationError, match="has too many members"):
        call(10_001, 1)
    assert max(client.call("count")) <= 4096 + 40
    # Those that are there are taken as ever.
    call(1, 3000)
    assert client.call(Wide.BIT39) is Wide.BIT39


def test_with_pickles_nothing_changes(serve: Callable[..., Client]) -> None:
    client = serve(lambda socket, state, args: socket.respond(args))
    value = re.RegexFlag((1 << 30) + 5)
    sent, pickled = client.call(value), pickle.loads(pickle.dumps(value))
    assert sent == value
    # Until Python 3.11.3, each is a new object.
    assert (sent is value) == (pickled is value)


@pytest.mark.parametrize("seconds", [1e10, 1e15, 9.3e18, 1.8e19])
def test_times_that_no_clock_reaches_are_for_ever(
    start: Callable[..., Server], seconds: float
) -> None:
    server = start(idle_timeout=seconds)
    client = Client(server.host, server.port)
    client.initialize(dict, lambda socket, _, args: socket.respond(args), print, timeout=seconds)
    assert client.call(1, timeout=seconds) == 1
    client.ping(timeout=seconds)
    assert client.status(timeout=seconds)["clients"] == 1
    assert server.is_alive(seconds)
    client.terminate(timeout=seconds)
    assert server.wait(seconds) == 0


@pytest.mark.parametrize("seconds", [1.9e19, 1e30, 1e308, float("inf"), float("nan"), -1.0])
def test_times_that_are_none_are_refused(seconds: float) -> None:
    with pytest.raises(ConfigError):
        Server(idle_timeout=seconds)
    with pytest.raises(ConfigError):
        Client("127.0.0.1", 1).ping(timeout=seconds)
    with pytest.raises(ConfigError):
        Server().stop(timeout=seconds)
