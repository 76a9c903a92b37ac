"""An argument of the wrong type is named in the very text of the error."""

from __future__ import annotations

import pytest

import bgpy
from bgpy import Client, Server

client = Client("127.0.0.1", 1)
tasks = (dict, print, print)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: Client("127.0.0.1", "54321"), "port must be a whole number, not str"),
        (lambda: Client("127.0.0.1", 1.5), "port must be a whole number, not float"),
        (lambda: Server("127.0.0.1", "54321"), "port must be a whole number, not str"),
        (lambda: Server("127.0.0.1", None), "port must be a whole number, not NoneType"),
        (lambda: client.call(1, timeout="3"), "timeout must be a number of seconds, not str"),
        (lambda: client.ping([]), "timeout must be a number of seconds, not list"),
        (lambda: client.initialize(*tasks, "3"), "timeout must be a number of seconds, not str"),
        (lambda: bgpy.servers(timeout="3"), "timeout must be a number of seconds, not str"),
        (lambda: bgpy.connect("x", timeout="3"), "timeout must be a number of seconds, not str"),
        (lambda: bgpy.start(tasks, timeout=b"3"), "timeout must be a number of seconds, not bytes"),
        (lambda: bgpy.connect(54321), "target must be a name, .* not int"),
        (lambda: bgpy.connect(None), "target must be a name, .* not NoneType"),
        (lambda: bgpy.start(tasks, nmae="camera"), "'nmae'"),
        (lambda: Client(b"x", 1), "host must be a str, not bytes"),
        (lambda: Client("127.0.0.1", 1, token=b"x"), "token must be a str or None, not bytes"),
        (lambda: Client("x", log_level=10), "log_level must be a str, not int"),
        (lambda: Client("x", log_file=3), "log_file must be a path or None, not int"),
        (lambda: Client("x", auth="no"), "auth must be True or False, not str"),
        (lambda: Client("x", allow_pickle=0), "allow_pickle must be True or False, not int"),
        (
            lambda: Client("x", max_message_bytes="1k"),
            "max_message_bytes must be a whole .* not str",
        ),
        (lambda: Server(None), "host must be a str, not NoneType"),
        (lambda: Server(token=1), "token must be a str or None, not int"),
        (lambda: Server(log_level=None), "log_level must be a str, not NoneType"),
        (lambda: Server(init_file=1), "init_file must be a path or None, not int"),
        (lambda: Server(init_module=bgpy), "init_module must be a str or None, not module"),
        (lambda: Server(name=1), "name must be a str or None, not int"),
        (lambda: Server(idle_timeout="1m"), "idle_timeout must be a number of seconds, not str"),
        (lambda: Server(threads="3"), "threads must be a whole number or None, not str"),
        (lambda: Server(restart=True), "restart must be a str, not bool"),
        (lambda: Server(allow_weak_token=1), "allow_weak_token must be True or False, not int"),
        (lambda: bgpy.start(tasks, env=["A=1"]), "env must be a dict of str to str, .* not list"),
        (lambda: bgpy.start(tasks, env={"A": 1}), "env must be a dict of str to str"),
        (lambda: bgpy.start(tasks, cwd=1), "cwd must be a path or None, not int"),
        (lambda: bgpy.start(tasks, python=1), "python must be a path or None, not int"),
        (lambda: bgpy.start(tasks, "a", exist_ok=1), "exist_ok must be True or False, not int"),
        (lambda: bgpy.start(tasks, b"a"), "name must be a str or None, not bytes"),
        (lambda: bgpy.connect("x", token=b"x"), "token must be a str or None, not bytes"),
        (lambda: bgpy.connect("x", auth=1), "auth must be True or False, not int"),
    ],
)
def test_it_is_named(runtime, act, words):
    with pytest.raises(TypeError, match=words):
        act()


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: Server(max_message_bytes=-1), "max_message_bytes=-1 is not between"),
        (lambda: Server(max_message_bytes=0), "max_message_bytes=0 is not between"),
        (
            lambda: Client("x", max_message_bytes=2**70),
            "max_message_bytes=1180591620717411303424 is",
        ),
        (lambda: Server(idle_timeout=-1), "idle_timeout=-1 is not a valid time"),
        (lambda: Server(threads=0), "threads=0 is out of range: it must be from 1 to 1024"),
        (lambda: Server(threads=1025), "threads=1025 is out of range"),
        (lambda: Server(idle_timeout=0), "idle_timeout=0 is not a valid time"),
        (lambda: Server(idle_timeout=float("nan")), "idle_timeout=NaN is not a valid time"),
        (
            lambda: Server(idle_timeout=1e300),
            "idle_timeout=1e300 is not .* to 1.8e19",
        ),
        (lambda: Server(idle_timeout=1e-300), "idle_timeout=1e-300 is not .* from 1e-9"),
        (lambda: Server().stop(timeout=-2e222), "timeout=-2e222 is not a valid time"),
        (lambda: bgpy.start(tasks, exist_ok=True), "pass name="),
        (lambda: Server().run_background(exist_ok=True), "pass name="),
        (lambda: bgpy.start(tasks, cwd="/nowhere"), r"no such directory: '/nowhere' \(cwd\)"),
    ],
)
def test_a_value_that_cannot_be_is_named(runtime, act, words):
    with pytest.raises(bgpy.ConfigError, match=words):
        act()
    assert not bgpy.servers()


def test_numbers_of_other_kinds_are_taken():
    numpy = pytest.importorskip("numpy")
    assert Server("127.0.0.1", numpy.int64(54321)).port == 54321
    with pytest.raises(bgpy.NotRunning):
        client.ping(numpy.float32(5))
    with pytest.raises(bgpy.NotRunning):
        client.ping(timeout=None)


HUGE = 10**400


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: client.call(1, timeout=HUGE), "timeout is out of range"),
        (lambda: bgpy.servers(timeout=-HUGE), "timeout is out of range"),
        (lambda: Server(idle_timeout=HUGE), "idle_timeout is out of range"),
        (lambda: Client("127.0.0.1", HUGE), "port"),
        (lambda: Server("127.0.0.1", -HUGE), "port"),
        (lambda: Server(max_message_bytes=HUGE), "max_message_bytes"),
    ],
)
def test_a_number_that_no_machine_holds_is_refused(runtime, act, words):
    with pytest.raises(bgpy.ConfigError, match=words):
        act()
