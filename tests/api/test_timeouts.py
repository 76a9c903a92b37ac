"""Nothing waits for ever, unless the server lives and works on it."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from bgpy import AuthError, CallTimeout, Client, ConnectError, ProtocolMismatch, Server

HOST = "127.0.0.1"
SOON_S = 5


@pytest.fixture
def stuck(serve, gate):
    """Return a client of a server whose task waits at the gate for ever."""
    client = serve(lambda *_: gate.enter())
    client.execute({})
    gate.wait_entered()
    return client


@pytest.fixture
def silent():
    """Return the port of a peer that accepts connections and says nothing."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def peer():
    """Return a function that lets a peer send bytes to its first client, and close."""
    threads = []

    def answer(data):
        listener = socket.create_server((HOST, 0))

        def serve_one():
            with listener, listener.accept()[0] as connection:
                connection.recv(1 << 16)
                connection.sendall(data)

        threads.append(threading.Thread(target=serve_one))
        threads[-1].start()
        return listener.getsockname()[1]

    yield answer
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    "act",
    [
        lambda client, timeout: client.call({}, timeout=timeout),
        lambda client, timeout: client.execute({}, await_response=True, timeout=timeout),
        lambda client, timeout: client.terminate({}, await_response=True, timeout=timeout),
        lambda client, timeout: client.initialize(dict, print, print, timeout=timeout),
        lambda client, timeout: Server(HOST, client.port).wait(timeout),
        lambda client, timeout: Server(HOST, client.port).stop(timeout),
    ],
    ids=["call", "execute", "terminate", "initialize", "wait", "stop"],
)
@pytest.mark.parametrize("timeout", [0.1, 0])
def test_a_wait_for_a_busy_server_ends_in_time(stuck, act, timeout):
    began = time.monotonic()
    with pytest.raises(CallTimeout, match=f"{HOST}:{stuck.port}") as caught:
        act(stuck, timeout)
    assert isinstance(caught.value, TimeoutError)
    assert timeout <= time.monotonic() - began < SOON_S


@pytest.mark.parametrize(
    "act",
    [
        lambda client: client.ping(timeout=0.1),
        lambda client: client.status(timeout=0.1),
        lambda client: client.call({}, timeout=0.1),
        lambda client: client.execute({}, timeout=0.1),
        lambda client: client.terminate({}, timeout=0.1),
        lambda client: client.initialize(dict, print, print, timeout=0.1),
        lambda client: Server(HOST, client.port).stop(timeout=0.1),
        lambda client: Server(HOST, client.port).wait(timeout=0.1),
    ],
    ids=["ping", "status", "call", "execute", "terminate", "initialize", "stop", "wait"],
)
def test_a_wait_for_a_silent_peer_ends_in_time(silent, act):
    began = time.monotonic()
    with pytest.raises(CallTimeout, match=f"{HOST}:{silent}"):
        act(Client(HOST, silent))
    assert 0.1 <= time.monotonic() - began < SOON_S


def test_a_silent_peer_is_not_alive(silent):
    assert Server(HOST, silent).is_alive(timeout=0.1) is False


@pytest.mark.slow
def test_a_silent_peer_is_given_up_without_a_timeout_too(silent):
    began = time.monotonic()
    with pytest.raises(ProtocolMismatch, match="nothing was sent within 5s"):
        Client(HOST, silent).ping()
    assert 5 <= time.monotonic() - began < 5 + SOON_S


def test_a_peer_that_is_something_else_is_named_as_such(peer):
    port = peer(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(ProtocolMismatch, match=f"{HOST}:{port}"):
        Client(HOST, port).ping()


def test_a_peer_of_another_version_is_named_as_such(peer):
    port = peer(b"bgpy\x63\x01\x00\x00")
    with pytest.raises(ProtocolMismatch, match="99"):
        Client(HOST, port).ping()


def test_a_peer_that_hangs_up_is_noticed_at_once(peer):
    port = peer(b"")
    with pytest.raises((AuthError, ConnectError), match=f"{HOST}:{port}"):
        Client(HOST, port).ping()


def test_a_timeout_leaves_the_connection_usable(stuck, gate):
    for _ in range(3):
        with pytest.raises(CallTimeout):
            stuck.call({}, timeout=0.01)
    assert stuck.status()["clients"] == 1
    gate.open()
    stuck.execute({})
    gate.wait_entered()


def test_other_threads_run_while_a_call_waits(stuck):
    counted = 0
    over = threading.Event()

    def count():
        nonlocal counted
        while not over.is_set():
            counted += 1

    counter = threading.Thread(target=count)
    counter.start()
    with pytest.raises(CallTimeout):
        stuck.call({}, timeout=0.5)
    over.set()
    counter.join()
    assert counted > 10_000
