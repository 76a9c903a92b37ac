"""The receiver decides whether it opens pickles, and the sender says what would need one."""

from __future__ import annotations

import decimal
import struct
import types

import pytest

from bgpy import Client, RemoteError, SerializationError, respond, token_create

from . import peer

HOST = "127.0.0.1"
EXIT = 0x03
TASKS = """\
import sys
from bgpy import respond

def init_task():
    return {}

def exec_task(client_socket, state, args):
    respond(client_socket, args in sys.modules if isinstance(args, str) else args)

def exit_task(client_socket, state, args):
    respond(client_socket, args)
"""


class Net:
    pass


@pytest.fixture
def strict(start, tmp_path):
    """Return a server that opens no pickles."""
    path = tmp_path / "tasks.py"
    path.write_text(TASKS)
    return start(init_file=path, token=token_create(), allow_pickle=False)


def member(module, name, value):
    """Write a member of an enumeration."""
    contents = peer.pack(module) + peer.pack(name) + peer.pack(value)
    return b"\xc8" + struct.pack(">Hb", len(contents), 21) + contents


def twice():
    part = [1]
    return {"a": part, "b": (part,)}


def deep():
    item = None
    for _ in range(300):
        item = [item]
    return item


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"model": Net()}, r'^args\["model"\] \(an api.test_refusals.Net\)'),
        ([0, (1, Net)], r"^args\[1\]\[1\] \(a type\)"),
        ({3: {decimal.Decimal(1): Net()}}, r"^args\[3\]\[Decimal\('1'\)\] \(an api"),
        ({1, Net}, r"^list\(args\)\[[01]\] \(a type\)"),
        ({(1, Net): 2}, r"^list\(args\)\[0\]\[1\] \(a type\)"),
        ({'say "hi"': Net}, r'^args\["say \\"hi\\""\] \(a type\)'),
        ({"k" * 1000: Net}, r'^args\["k{39}\.\.\.\] \(a type\)'),
        (twice(), r'^args\["b"\]\[0\] \(a list that occurs in the message twice\)'),
        (deep(), r"^args, nested deeper than plain data can be,"),
    ],
    ids=["dict", "tuple", "key", "set", "in-key", "quotes", "long-key", "shared", "deep"],
)
def test_the_part_that_needs_a_pickle_is_named(strict, args, told):
    client = Client(HOST, strict.port, token=strict.token)
    calls = client.status()["calls"]
    rest = r".* cannot be sent without pickle, which the server refuses \(allow_pickle=False\)$"
    for call in (client.call, client.execute):
        with pytest.raises(SerializationError, match=told + rest) as caught:
            call(args)
        assert caught.value.__cause__ is None
    assert client.call([1]) == [1]
    # None of the others was sent: they would have ended before. The last one counts when its task
    # has ended, a moment after its answer.
    assert client.status()["calls"] <= calls + 1


def test_a_client_takes_none_either(start):
    def exec_task(client_socket, state, args):
        try:
            respond(client_socket, {"deep": [types.SimpleNamespace()]})
        except SerializationError as error:
            respond(client_socket, str(error))

    port = start().port
    Client(HOST, port).initialize(dict, exec_task, print)
    assert Client(HOST, port, allow_pickle=False).call({}) == (
        'response["deep"][0] (a types.SimpleNamespace) cannot be sent without pickle, which the '
        "client refuses (allow_pickle=False)"
    )
    assert Client(HOST, port).call({}) == {"deep": [types.SimpleNamespace()]}


def test_a_task_that_does_not_mind_fails_with_it(start):
    port = start().port
    answer = {"it": Net()}
    Client(HOST, port).initialize(dict, lambda caller, state, args: respond(caller, answer), print)
    client = Client(HOST, port, allow_pickle=False)
    with pytest.raises(SerializationError, match=r'response\["it"\] \(an .*Net\)') as caught:
        client.call({})
    assert isinstance(caught.value, RemoteError)
    assert "in <lambda>" in caught.value.remote_traceback


def test_a_server_that_has_its_tasks_ignores_those_of_others(strict):
    client = Client(HOST, strict.port, token=strict.token)
    assert client.initialize(dict, print, print) == {"message": "Already initialized."}


def test_a_peer_that_does_not_say_takes_pickles(start, runtime):
    server = start(token=token_create())
    answer = types.SimpleNamespace(a=1)
    Client(HOST, server.port).initialize(dict, lambda c, s, a: respond(c, answer), print)
    (path,) = runtime.glob("*.sock")
    with peer.connect(str(path), server.token) as client:
        client.send(peer.EXEC, peer.FIRST, 1, b"\x80")
        frame = client.answer()
        assert frame.kind == peer.RESPONSE
        # A pickle, with the version of Python in front if it holds code.
        assert frame.data[0] in range(0xC7, 0xCA)


def test_an_enumeration_is_not_imported_because_a_peer_names_it(strict, runtime):
    (path,) = runtime.glob("*.sock")
    client = Client(HOST, strict.port, token=strict.token)
    assert client.call("this") is False
    with peer.connect(str(path), strict.token) as crafted:
        for call, (module, name) in enumerate(
            [
                ("this", "Zen"),
                ("os", "PathLike"),
                ("os", "missing"),
                ("os", "path.join"),
                ("os.path", ""),
                ("xml.dom", "minidom.Node"),
                ("", "Enum"),
                ("enum", "Enum"),
            ],
            start=1,
        ):
            crafted.send(peer.EXEC, peer.FIRST, call, member(module, name, 1))
            answer = crafted.answer()
            assert answer.kind == peer.ERROR, (module, name)
            if module == "this":
                assert b"not imported here" in answer.data
        crafted.send(peer.EXEC, peer.FIRST, 100, member("uuid", "SafeUUID", 0))
        assert crafted.answer().kind in (peer.RESPONSE, peer.ERROR)
    assert client.call("this") is False
    assert client.call("xml.dom") is False


def test_an_enumeration_is_imported_where_a_pickle_would_do_so(start, runtime):
    server = start(token=token_create())
    client = Client(HOST, server.port)
    client.initialize(dict, lambda caller, state, args: respond(caller, repr(args)), print)
    (path,) = runtime.glob("*.sock")
    with peer.connect(str(path), server.token) as crafted:
        crafted.send(peer.EXEC, peer.FIRST, 1, member("pstats", "SortKey", "calls"))
        assert b"SortKey.CALLS" in crafted.answer().data
        # Only enumerations are called.
        crafted.send(peer.EXEC, peer.FIRST, 2, member("subprocess", "Popen", "true"))
        answer = crafted.answer()
        assert answer.kind == peer.ERROR
        assert b"which is not an enumeration here" in answer.data


def test_a_crafted_exit_opens_no_pickle(strict, runtime, tmp_path):
    (path,) = runtime.glob("*.sock")
    pickled = peer.pack_pickle(b"\x80\x05cposix\nmkdir\n\x8c\x02hi\x85R.")
    with peer.connect(str(path), strict.token) as crafted:
        crafted.send(EXIT, peer.FIRST, 1, pickled)
        answer = crafted.answer()
        assert answer.kind == peer.ERROR
        assert b"allow_pickle=False" in answer.data
    strict.wait(20)
