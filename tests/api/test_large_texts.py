"""Large texts and bytes, which travel beside their message, arrive as they were."""

from __future__ import annotations

import os

import pytest

from bgpy import Client, respond, token_create

from . import peer
from .conftest import TOKEN

HOST = "127.0.0.1"
# The least that goes outside, one less, what goes by a segment, and more than a socket holds.
LENGTHS = [(1 << 16) - 1, 1 << 16, 300_000, 5_000_000]
# The first large messages of a connection come by the stream.
ROUNDS = 4

KINDS = {
    "ascii": lambda length: "x" * length,
    "two bytes a letter": lambda length: "ü" * (length // 2),
    "four bytes a letter": lambda length: "\U0001f600" * (length // 4),
    "surrogate": lambda length: "x" * length + "\udcff",
    "bytes": lambda length: os.urandom(length),
    "bytearray": lambda length: bytearray(os.urandom(length)),
}


def echo(client_socket, state, args):
    respond(client_socket, args)


def test_every_kind_comes_back_as_it_was(connect):
    client = connect(echo)
    for length in LENGTHS:
        for make in KINDS.values():
            value = make(length)
            for _ in range(ROUNDS):
                received = client.call(value)
                assert type(received) is type(value)
                assert received == value


def test_many_stand_where_they_stood(connect):
    client = connect(echo)
    text, key, item = "a" * 100_000, "ü" * 50_000, b"c" * 70_000
    value = {
        "list": [text + str(n) for n in range(50)],
        key: (item, bytearray(item), [{item + b"d"}, frozenset([text])]),
        "short": "text",
    }
    for _ in range(ROUNDS):
        received = client.call(value)
        assert received == value
        assert list(received) == list(value)
        assert [type(part) for part in received[key]] == [bytes, bytearray, list]


def test_a_bytearray_belongs_to_its_owner_again(connect):
    def change(client_socket, state, args):
        args += b"more"
        respond(client_socket, args)
        # The response is what it was.
        args[:] = bytes(len(args))
        del args[10:]

    client = connect(change)
    mine = bytearray(b"x" * 1_000_000)
    for _ in range(ROUNDS):
        received = client.call(mine)
        assert received == mine + b"more"
        received.append(0)
        mine += b"y"
    assert mine == b"x" * 1_000_000 + b"y" * ROUNDS


def test_they_need_no_pickle(connect):
    client = connect(echo)
    plain = Client(HOST, client.port, token=TOKEN, allow_pickle=False)
    big = "x" * 1_000_000
    # What cannot change may become two where no pickle is taken.
    assert plain.call([big, big, b"y" * 1_000_000]) == [big, big, b"y" * 1_000_000]


TEXT, BYTES = b"\xd4\x05\x00", b"\xd4\x05\x01"
LIES = {
    "no buffer": (TEXT, []),
    "one too few": (b"\x92" + TEXT + BYTES, [b"text"]),
    "one too many": (TEXT, [b"text", b"bytes"]),
    "no reference": (b"\xc0", [b"text"]),
    "no text": (TEXT, [b"\xff"]),
    "no kind": (b"\xd4\x05\x03", [b"text"]),
    "part of a path": (b"\xd6\x14\x00" + TEXT, [b"text"]),
}


@pytest.mark.parametrize("lie", LIES)
def test_buffers_that_do_not_fit_are_an_error(start, runtime, lie):
    server = start(token=token_create())
    client = Client(HOST, server.port, token=server.token)
    client.initialize(dict, echo, lambda *_: None)
    (path,) = runtime.glob("*.sock")
    data, buffers = LIES[lie]
    with peer.connect(str(path), server.token) as liar:
        liar.send(peer.EXEC, peer.FIRST, 1, data, buffers)
        answer = liar.answer()
        assert answer.kind == peer.ERROR
        assert b"cannot be decoded" in answer.data
        liar.send(peer.EXEC, peer.FIRST, 2, b"\x92" + TEXT + BYTES, [b"text", b"bytes"])
        assert liar.answer().data == b"\x92\xa4text\xc4\x05bytes"
    assert client.call("alive") == "alive"


def test_a_view_arrives_as_bytes(connect):
    client = connect(echo)
    content = os.urandom(1_000_000)
    for view in (memoryview(content), memoryview(bytearray(content))[::2], memoryview(b"")):
        for _ in range(ROUNDS):
            received = client.call({"view": view})["view"]
            assert type(received) is bytes
            assert received == view
