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
    ],
)
def test_it_is_named(runtime, act, words):
    with pytest.raises(TypeError, match=words):
        act()


def test_numbers_of_other_kinds_are_taken():
    numpy = pytest.importorskip("numpy")
    assert Server("127.0.0.1", numpy.int64(54321)).port == 54321
    with pytest.raises(bgpy.NotRunning):
        client.ping(numpy.float32(5))
    with pytest.raises(bgpy.NotRunning):
        client.ping(timeout=None)
