"""A server that dies or stands still is noticed, also while a call waits for it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.processes import KILL, KILLED, stand_still

from bgpy import CallTimeout, Client, ConnectionLost, NotRunning, Server, respond

HOST = "127.0.0.1"
SOON_S = 5


@pytest.fixture(params=["unix", "tcp"])
def waiting(request, start, gate, tmp_path, monkeypatch):
    """Return a server that runs a task at the gate, and a client that reaches it either way."""
    server = start(token="chosen by a person")
    Client(HOST, server.port).initialize(dict, lambda *_: gate.enter(), print)
    if request.param == "tcp":
        # What is not in the registry might be on another machine.
        monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    return server, Client(HOST, server.port, token=server.token)


def test_the_death_of_the_server_ends_a_wait(waiting, gate):
    server, client = waiting
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.call, {})
        gate.wait_entered()
        began = time.monotonic()
        os.kill(server.pid, KILL)
        with pytest.raises(ConnectionLost, match="may or may not have run") as caught:
            call.result(20)
        assert time.monotonic() - began < SOON_S
    assert isinstance(caught.value, ConnectionError)
    assert f"{HOST}:{server.port}" in str(caught.value)
    assert server.wait(20) == KILLED
    with pytest.raises(NotRunning):
        client.call({})


def test_the_death_of_the_server_ends_the_waits_of_all_threads(waiting, gate):
    server, client = waiting
    client.ping()
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(client.call, {}) for _ in range(4)]
        gate.wait_entered()
        while client.status(timeout=20)["queue"] < 3:
            pass
        os.kill(server.pid, KILL)
        for call in calls:
            with pytest.raises(ConnectionLost):
                call.result(20)


def test_a_server_that_stands_still_ends_no_call_but_its_time_does(waiting):
    server, client = waiting
    client.ping()
    stand_still(server.pid)
    for act in (client.call, client.execute):
        with pytest.raises(CallTimeout):
            act({}, timeout=0.1)
    with pytest.raises(CallTimeout):
        client.ping(timeout=0.1)
    os.kill(server.pid, signal.SIGCONT)
    client.ping()


def test_a_large_message_to_a_server_that_stands_still_ends_in_time(waiting):
    server, client = waiting
    client.ping()
    stand_still(server.pid)
    began = time.monotonic()
    with pytest.raises(CallTimeout):
        client.call(bytes(64 << 20), timeout=0.3)
    assert time.monotonic() - began < SOON_S
    os.kill(server.pid, signal.SIGCONT)
    client.ping()


@pytest.mark.slow
def test_a_server_that_stands_still_is_given_up_without_a_timeout_too(start):
    server = start()
    client = Client(HOST, server.port)
    client.ping()
    stand_still(server.pid)
    with pytest.raises(ConnectionLost, match="30s"):
        client.ping()


def test_what_a_killed_server_leaves_behind_is_cleared_away(orphan, runtime):
    orphan.kill()
    assert len(list(runtime.glob("*.json"))) == 1
    with pytest.raises(NotRunning):
        Client(HOST, orphan.port).ping()
    assert [path.suffix for path in runtime.iterdir() if path.name != "ended"] == [".log"]


def test_another_program_at_the_address_of_a_killed_server_is_not_believed(start, runtime):
    server = start()
    os.kill(server.pid, KILL)
    server.wait(20)
    with socket.create_server((HOST, server.port)) as listener:
        heard = []

        def listen():
            with listener.accept()[0] as connection:
                heard.append(connection.recv(1 << 16))
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        thread = threading.Thread(target=listen)
        thread.start()
        with pytest.raises(Exception, match=f"{HOST}:{server.port}"):
            Client(HOST, server.port).ping()
        thread.join()
    assert heard[0].startswith(b"bgpy")


def test_a_task_that_kills_its_process_ends_the_wait(serve):
    client = serve(lambda *_: os._exit(3))
    with pytest.raises(ConnectionLost):
        client.call({})
    assert not Server(HOST, client.port).is_alive()


def test_an_idle_client_notices_at_its_next_call(start):
    server = start()
    client = Client(HOST, server.port)
    client.initialize(dict, lambda caller, state, args: respond(caller, args), print)
    assert client.call("alive") == "alive"
    os.kill(server.pid, KILL)
    server.wait(20)
    with pytest.raises(NotRunning):
        client.call({})


@pytest.mark.slow
def test_an_argument_that_just_fills_the_socket_waits_like_any_other(serve):
    """After five seconds of silence a client asks for a sign of life, which finds no room."""
    first = serve(lambda client_socket, state, args: respond(client_socket, len(args)))
    pid = first.status()["pid"]
    sizes = range(190_000, 230_000, 2_000)
    clients = [Client(first.host, first.port) for _ in sizes]
    for client in clients:
        client.ping()
    stand_still(pid)
    with ThreadPoolExecutor(len(sizes)) as pool:
        calls = [
            pool.submit(client.call, bytes(size))
            for client, size in zip(clients, sizes, strict=True)
        ]
        time.sleep(6)
        os.kill(pid, signal.SIGCONT)
        assert [call.result(timeout=30) for call in calls] == list(sizes)


REPLACED = """
import os, socket, time
from bgpy import Client

def sockets():
    names = [f"/proc/self/fd/{{name}}" for name in os.listdir("/proc/self/fd")]
    return {{name for name in names if os.path.exists(name) and "socket" in os.readlink(name)}}

before = sockets()
client = Client("127.0.0.1", {port}, token="chosen by a person")
client.ping()
[mine] = [int(os.path.basename(name)) for name in sockets() - before]
ours, theirs = socket.socketpair()
{replace}
# A connection in constant use is not looked at.
time.sleep(0.01)
print(client.call("after", timeout=20))
assert os.fstat(mine).st_ino == ino
theirs.setblocking(False)
try:
    print("they got", theirs.recv(100))
except BlockingIOError:
    print("nobody else got anything")
del client
assert os.fstat(mine).st_ino == ino
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="finds its descriptors by /proc")
@pytest.mark.parametrize(
    "replace",
    [
        "os.dup2(ours.fileno(), mine); ino = os.fstat(mine).st_ino",
        "os.dup2(os.open(__file__, os.O_RDWR), mine); ino = os.fstat(mine).st_ino",
        "os.dup2(os.pipe()[0], mine); ino = os.fstat(mine).st_ino",
    ],
    ids=["socket", "file", "pipe"],
)
def test_a_descriptor_that_has_become_another_ones_is_left_alone(start, scripts, replace):
    server = start(token="chosen by a person")
    Client(HOST, server.port).initialize(dict, lambda _, __, args: respond(_, args), print)
    script = REPLACED.format(port=server.port, replace=replace)
    assert scripts.run(script) == "after\nnobody else got anything\n"
