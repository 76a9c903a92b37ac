"""A connection that the network has forgotten is left after a call or two, whatever its timeout."""

from __future__ import annotations

import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from support.processes import stand_still

from bgpy import CallTimeout, Client, respond

HOST = "127.0.0.1"
LIMIT_S = 20


class Network:
    """Connections to a server by way of a proxy, which can fall silent on those that it has."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.count = 0
        self._sockets: list[socket.socket] = []
        self._silent: set[socket.socket] = set()
        self._listener = socket.create_server((HOST, 0))
        self.address = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((HOST, self.port))
                self.count += 1
                self._sockets += near, far
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source not in self._silent:
                    sink.sendall(data)

    def forget(self) -> None:
        """Pass nothing more on the connections that there are."""
        self._silent.update(self._sockets)

    def close(self) -> None:
        """Close everything."""
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def network(start, tmp_path, monkeypatch):
    """Return a network, and a client on the far side of it."""
    server = start(token="chosen by a person")
    Client(HOST, server.port).initialize(dict, lambda sock, _, args: respond(sock, args), print)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    network = Network(server.port)
    yield network, Client(HOST, network.address, token="chosen by a person")
    network.close()


@pytest.mark.parametrize("timeout", [0.1, 0.5, 2, 4.9])
def test_a_connection_that_passes_nothing_is_left(network, timeout):
    network, client = network
    assert client.call(0, timeout=LIMIT_S) == 0
    network.forget()
    with pytest.raises(CallTimeout, match="may or may not have run"):
        client.call(1, timeout=timeout)
    assert client.call(2, timeout=LIMIT_S) == 2
    assert network.count == 2


def test_calls_with_little_time_leave_it_after_a_few(network):
    network, client = network
    client.ping(timeout=LIMIT_S)
    network.forget()
    failures = 0
    while network.count < 2:
        with suppress(CallTimeout):
            client.call(1, timeout=0.02)
        failures += 1
    assert client.call(2, timeout=LIMIT_S) == 2
    assert failures < 50


def test_threads_that_wait_leave_it_together(network):
    network, client = network
    client.ping(timeout=LIMIT_S)
    network.forget()

    def call(number):
        with suppress(CallTimeout):
            client.call(number, timeout=1)
        return client.call(number, timeout=LIMIT_S)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(call, range(8))) == list(range(8))


def test_a_task_that_takes_long_is_no_silence(serve, gate):
    """A server answers while its task runs, so that its connection is kept."""
    client = serve(lambda sock, _, args: respond(sock, gate.enter()))
    for _ in range(3):
        with pytest.raises(CallTimeout):
            client.call({}, timeout=0.2)
    assert client.status(timeout=LIMIT_S)["clients"] == 1


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="there is no such signal")
def test_a_server_that_stood_still_answers_what_waits(start):
    """Whoever waits without a limit gets an answer, whatever others with less time have done."""
    server = start()
    client = Client(HOST, server.port)
    client.initialize(dict, lambda sock, _, args: respond(sock, args), print)
    with ThreadPoolExecutor(1) as threads:
        stand_still(server.pid)
        patient = threads.submit(client.call, "patient")
        for _ in range(3):
            with pytest.raises(CallTimeout):
                client.call("in a hurry", timeout=0.2)
        os.kill(server.pid, signal.SIGCONT)
        assert patient.result(LIMIT_S) == "patient"
        assert client.call("later", timeout=LIMIT_S) == "later"
