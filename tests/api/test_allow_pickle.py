"""With `allow_pickle=False` no pickle is opened, whatever the other side sends."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import socket
import struct
import threading
from pathlib import Path

import pytest
from support.processes import KILL

from bgpy import Client, RemoteError, SerializationError, respond, token_create

from . import peer

HOST = "127.0.0.1"
TASKS = """\
from bgpy import respond

def init_task():
    return {}

def exec_task(client_socket, state, args):
    respond(client_socket, args)

def exit_task(client_socket, state, args):
    respond(client_socket, args)
"""
PLAIN = {
    "none": None,
    "numbers": [0, -1, 2**100, 1.5, True],
    "texts": ["", "grüße", b"\xff"],
    ("a", 1): {"deep": ({"er": ()},)},
}


class Mark:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


class MarkingError(Exception):
    """An exception that makes a file when it is unpickled."""

    def __init__(self, path):
        super().__init__("no film")
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def mark(tmp_path):
    """Return the file that appears when a pickle is opened."""
    return tmp_path / "unpickled"


@pytest.fixture
def strict(start, tmp_path):
    """Return a server that opens no pickles."""
    path = tmp_path / "tasks.py"
    path.write_text(TASKS)
    return start(init_file=path, token=token_create(), allow_pickle=False)


@pytest.fixture
def careful(start):
    """Return a client that opens no pickles, of a server that runs what it is told."""

    def run(client_socket, state, args):
        return state["acts"][args](client_socket)

    def of(**acts):
        port = start().port
        Client(HOST, port).initialize(lambda: {"acts": acts}, run, print)
        return Client(HOST, port, allow_pickle=False)

    return of


@pytest.fixture
def crafted(start, runtime):
    """Return a function that answers the next call to a port with a frame of the test's choice."""
    server = start(token=token_create())
    (path,) = runtime.glob("*.json")
    entry = json.loads(path.read_text())
    os.kill(server.pid, KILL)
    server.wait(20)
    # The entry of the killed server leads to an impostor of this user, who knows the token.
    path.write_text(json.dumps(entry | {"process": {"pid": os.getpid(), "start": None}}))
    # Whoever started the server has cleared away what it left.
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(entry["socket"])
    listener.listen()
    threads = []

    def answer(kind, flags, data):
        with peer.accept(listener, server.token) as impostor:
            request = impostor.receive()
            assert request.kind == peer.EXEC
            impostor.send(kind, flags, request.call, data)

    def serve(*frame):
        threads.append(threading.Thread(target=answer, args=frame))
        threads[-1].start()
        return server.port

    yield serve
    for thread in threads:
        thread.join()
    listener.close()
    # The process that it names now is to live on.
    path.unlink()


def test_plain_data_passes(strict):
    client = Client(HOST, strict.port, allow_pickle=False, token=strict.token)
    assert client.call(PLAIN) == PLAIN
    assert client.execute(PLAIN, await_response=True) == PLAIN
    assert client.terminate(PLAIN, await_response=True) == PLAIN


def test_equal_parts_of_plain_data_pass(strict):
    client = Client(HOST, strict.port, allow_pickle=False, token=strict.token)
    # The interpreter has one object for all empty tuples.
    for value in ([(), ()], {"a": (), "b": ()}, ((), ((), ())), ["", ""], [b"", b""], [1.5] * 2):
        assert client.call(value) == value


def test_a_pickle_for_the_server_is_refused_and_not_opened(strict, mark):
    client = Client(HOST, strict.port, token=strict.token)
    with pytest.raises(SerializationError, match="allow_pickle=False"):
        client.call(Mark(mark))
    with pytest.raises(SerializationError, match="allow_pickle=False"):
        client.execute(Mark(mark))
    assert client.call("alive") == "alive"
    assert not mark.exists()


def test_tasks_of_a_client_are_refused(start, mark):
    server = start(allow_pickle=False)
    client = Client(HOST, server.port)

    def init():
        mark.touch()
        return {}

    with pytest.raises(SerializationError, match="allow_pickle=False"):
        client.initialize(init, print, print)
    assert client.status()["state"] == "UNINITIALIZED"
    assert not mark.exists()


def test_a_pickle_for_exit_task_is_not_opened(strict, mark):
    client = Client(HOST, strict.port, token=strict.token)
    refusal = r"exit_args \(an .*Mark\) cannot be sent .*allow_pickle=False"
    with pytest.raises(SerializationError, match=refusal):
        client.terminate(Mark(mark), await_response=True)
    # Nothing was sent, so that the server goes on.
    assert client.call("alive") == "alive"
    assert not mark.exists()


def test_a_pickle_for_the_client_is_refused_and_not_opened(careful, mark):
    client = careful(
        evil=lambda client_socket: respond(client_socket, Mark(mark)),
        plain=lambda client_socket: respond(client_socket, PLAIN),
    )
    with pytest.raises(SerializationError, match="allow_pickle=False"):
        client.call("evil")
    with pytest.raises(SerializationError, match="allow_pickle=False"):
        client.execute("evil", await_response=True)
    assert client.call("plain") == PLAIN
    assert not mark.exists()


def test_an_exception_is_told_without_being_opened(careful, mark):
    def fail(client_socket):
        raise MarkingError(mark)

    client = careful(fail=fail)
    with pytest.raises(RemoteError, match="MarkingError: no film") as caught:
        client.call("fail")
    assert caught.value.__cause__ is None
    assert caught.value.exception is None
    assert "in fail" in caught.value.remote_traceback
    assert not mark.exists()


def test_an_error_response_is_not_opened_either(careful, mark):
    client = careful(evil=lambda client_socket: respond(client_socket, Mark(mark), error=True))
    with pytest.raises(SerializationError, match="allow_pickle=False"):
        client.call("evil")
    assert not mark.exists()


def messages(path):
    """Yield messages with a pickle in each place where one could stand."""
    pickled = peer.pack_pickle(pickle.dumps(Mark(path)))
    yield "whole", pickled
    yield "list", b"\x91" + pickled
    yield "value", peer.pack_map(key=0)[:-5] + pickled
    yield "key", b"\x81" + pickled + b"\xc0"
    yield "tuple", b"\xc8" + struct.pack(">Hb", len(pickled), 2) + pickled
    yield "behind", b"\xc0" + pickled
    yield "number", b"\xc8" + struct.pack(">Hb", len(pickled), 1) + pickled
    yield "unknown", b"\xc8" + struct.pack(">Hb", len(pickled), 99) + pickled
    yield "cut", pickled[:-1]


PLACES = [name for name, _ in messages(Path("x"))]


@pytest.mark.parametrize("place", PLACES)
def test_a_crafted_request_opens_no_pickle(strict, runtime, mark, place):
    (path,) = runtime.glob("*.sock")
    with peer.connect(str(path), strict.token) as client:
        client.send(peer.EXEC, peer.FIRST, 1, dict(messages(mark))[place])
        answer = client.answer()
        # As a number, the bytes are just one.
        assert answer.kind == (peer.RESPONSE if place == "number" else peer.ERROR)
    assert Client(HOST, strict.port, token=strict.token).call("alive") == "alive"
    assert not mark.exists()


@pytest.mark.parametrize("place", PLACES)
def test_a_crafted_response_opens_no_pickle(crafted, mark, place):
    port = crafted(peer.RESPONSE, peer.LAST, dict(messages(mark))[place])
    client = Client(HOST, port, allow_pickle=False)
    if place == "number":
        assert isinstance(client.call({}), int)
    else:
        with pytest.raises(SerializationError):
            client.call({})
    assert not mark.exists()


@pytest.mark.parametrize("place", PLACES)
def test_a_crafted_error_opens_no_pickle(crafted, mark, place):
    failure = peer.pack_map(
        code="task",
        message="no film",
        exception="ValueError",
        traceback=None,
        object=dict(messages(mark))[place],
    )
    client = Client(HOST, crafted(peer.ERROR, 0, failure), allow_pickle=False)
    with pytest.raises(RemoteError, match="no film") as caught:
        client.call({})
    assert caught.value.__cause__ is None
    assert not mark.exists()


def test_a_crafted_response_is_believed_where_pickles_are_allowed(crafted, mark):
    # The tests above prove something only if the same pickles are opened here.
    port = crafted(peer.RESPONSE, peer.LAST, dict(messages(mark))["whole"])
    Client(HOST, port).call({}).close()
    assert mark.exists()


def test_a_crafted_request_is_believed_where_pickles_are_allowed(start, runtime, mark):
    server = start(token=token_create())
    Client(HOST, server.port).initialize(dict, lambda *_: None, print)
    (path,) = runtime.glob("*.sock")
    with peer.connect(str(path), server.token) as client:
        client.send(peer.EXEC, peer.FIRST, 1, dict(messages(mark))["whole"])
        assert client.answer().kind == peer.END
    assert mark.exists()


def test_nothing_is_opened_before_the_handshake(start, runtime, mark):
    server = start()
    (path,) = runtime.glob("*.sock")
    pickled = dict(messages(mark))["whole"]
    frame = struct.pack("<BBHIQQ", peer.EXEC, peer.FIRST, 0, 0, 1, len(pickled)) + pickled
    address = (HOST, server.port)
    for data in (pickled, frame, peer.PREAMBLE + frame, pickle.dumps(Mark(mark))):
        for family, place in ((socket.AF_UNIX, str(path)), (socket.AF_INET, address)):
            with socket.socket(family) as stranger:
                stranger.settimeout(20)
                stranger.connect(place)
                stranger.sendall(data)
                stranger.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    assert stranger.recv(100) == b""
    assert server.is_alive()
    assert not mark.exists()
