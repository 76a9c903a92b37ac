"""A task that would wait for its own server hears so at once."""

from __future__ import annotations

import threading

import pytest

import bgpy
from bgpy import Client, Server, WouldDeadlock, respond

HOST = "127.0.0.1"


def run(client_socket, state, args):
    """Do what is asked for with a client of the server that runs this."""
    what, port = args
    if what == "done":
        respond(client_socket, state.get("done", 0))
        return
    if what == "queued":
        state["done"] = state.get("done", 0) + 1
        return
    own = bgpy.Client("127.0.0.1", port)
    acts = {
        "call": lambda: own.call(("done", port)),
        "execute": lambda: own.execute(("done", port), await_response=True),
        "terminate": lambda: own.terminate(await_response=True),
        "initialize": lambda: own.initialize(dict, run, print),
        "stop": lambda: bgpy.Server("127.0.0.1", port).stop(),
        "wait": lambda: bgpy.Server("127.0.0.1", port).wait(),
        "status": lambda: own.status()["state"],
        "ping": lambda: own.ping(),
        "later": lambda: own.execute(("queued", port))["message"],
    }
    try:
        respond(client_socket, acts[what]())
    except bgpy.WouldDeadlock as error:
        respond(client_socket, str(error))


@pytest.mark.parametrize("what", ["call", "execute", "terminate", "initialize", "stop", "wait"])
def test_a_task_that_waits_for_itself_is_told(serve, start, what):
    server = start()
    client = Client(HOST, server.port)
    client.initialize(dict, run, print)
    assert "cannot answer before this task has ended" in client.call((what, server.port))
    assert client.call(("done", server.port)) == 0
    assert server.is_alive()


def test_what_does_not_wait_is_allowed(start):
    server = start()
    client = Client(HOST, server.port)
    client.initialize(dict, run, print)
    assert client.call(("status", server.port)) == "BUSY"
    assert client.call(("ping", server.port)) is None
    assert client.call(("later", server.port)) == "Received 'EXEC'"
    assert client.call(("done", server.port)) == 1


def test_two_servers_of_one_process_do_not_wait_for_each_other(scripts):
    printed = scripts.run(
        """
        import threading
        import bgpy

        def relay(client_socket, state, targets):
            if not targets:
                return bgpy.respond(client_socket, "the end")
            try:
                answer = bgpy.Client(targets[0]).call(targets[1:])
            except bgpy.WouldDeadlock:
                answer = "a circle"
            bgpy.respond(client_socket, answer)

        names = ["one", "two", "three"]
        servers = [threading.Thread(target=bgpy.Server(name=name).run) for name in names]
        for server in servers:
            server.start()
        while len(bgpy.servers()) < len(names):
            pass
        clients = [bgpy.Client(name) for name in names]
        for client in clients:
            client.initialize(dict, relay, lambda *_: None)
        for route in (["two", "three"], ["two", "one"], ["two", "three", "one"], ["one"]):
            print(clients[0].call(route))
        for client in clients:
            client.terminate()
        for server in servers:
            server.join()
        """
    )
    assert printed.splitlines() == ["the end", "a circle", "a circle", "a circle"]


def test_another_thread_of_the_process_may_call(start):
    """A thread that a task has left calls the server like any client."""

    def leave(client_socket, state, port):
        if port is None:
            respond(client_socket, state["thread"].is_alive())
            return
        client = bgpy.Client("127.0.0.1", port)
        state["thread"] = threading.Thread(target=lambda: client.call(None))
        state["thread"].start()
        respond(client_socket, "left")

    server = start()
    client = Client(HOST, server.port)
    client.initialize(dict, leave, lambda client_socket, state, args: state["thread"].join())
    assert client.call(server.port) == "left"
    assert client.call(None) in (True, False)
    client.terminate()
    assert server.wait(20) == 0


THREADS = """
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import bgpy

def call(port, **how):
    try:
        return bgpy.Client("127.0.0.1", port).call(("queued", port), **how)
    except (bgpy.WouldDeadlock, bgpy.CallTimeout) as error:
        return f"{type(error).__name__}: {error}"

def in_thread(port, join=threading.Thread.join, **how):
    found = []
    thread = threading.Thread(target=lambda: found.append(call(port, **how)))
    thread.start()
    join(thread)
    return found

def by_another(port):
    found = []
    def outer():
        found.extend(in_thread(port))
    thread = threading.Thread(target=outer)
    thread.start()
    thread.join()
    return found

def in_pool(port):
    with ThreadPoolExecutor(2) as pool:
        pool.submit(time.sleep, 0.01)
        found = pool.submit(call, port)
    return [found.result()]

def mapped(port):
    pool = ThreadPoolExecutor(1)
    return list(pool.map(call, [port]))

def later(thread):
    time.sleep(0.5)
    thread.join()

def limited(thread):
    # It goes on after this, and so does the call.
    thread.join(0.7)

WAYS = {
    "join": in_thread,
    "join after a while": lambda port: in_thread(port, later),
    "join of a join": by_another,
    "pool": in_pool,
    "map": mapped,
    "timeout": lambda port: in_thread(port, timeout=30),
}

def init_task():
    return {"queued": 0}

def exec_task(client_socket, state, args):
    what, port = args
    if what == "queued":
        state["queued"] += 1
        return bgpy.respond(client_socket, "ran")
    if what == "count":
        return bgpy.respond(client_socket, state["queued"])
    if what == "limited":
        state["found"] = []
        thread = threading.Thread(target=lambda: state["found"].append(call(port)))
        thread.start()
        limited(thread)
        return bgpy.respond(client_socket, thread.is_alive())
    if what == "found":
        return bgpy.respond(client_socket, state["found"])
    bgpy.respond(client_socket, WAYS[what](port))
"""


@pytest.fixture
def with_threads(start, tmp_path):
    """Return a client of a server whose tasks start threads that call it."""
    file = tmp_path / "threads.py"
    file.write_text(THREADS)
    return Client(HOST, start(init_file=file).port)


@pytest.mark.parametrize(
    "way", ["join", "join after a while", "join of a join", "pool", "map", "timeout"]
)
def test_a_thread_that_the_task_waits_for_is_told(with_threads, way):
    port = with_threads.port
    (told,) = with_threads.call((way, port), timeout=20)
    assert told.startswith("WouldDeadlock: ")
    assert f"127.0.0.1:{port} cannot answer before its task has ended" in told
    # What was refused has not run.
    assert with_threads.call(("count", port)) == 0


@pytest.fixture
def busy_server(with_threads):
    """Keep the server busy with other clients' requests."""
    is_over = threading.Event()

    def ask():
        with Client(HOST, with_threads.port) as client:
            while not is_over.is_set():
                client.status()

    others = [threading.Thread(target=ask) for _ in range(16)]
    for other in others:
        other.start()
    yield with_threads
    is_over.set()
    for other in others:
        other.join()


def test_what_was_refused_has_not_run_either_if_the_server_is_busy(busy_server):
    port = busy_server.port
    for _ in range(12):
        (told,) = busy_server.call(("map", port), timeout=50)
        assert told.startswith("WouldDeadlock: ")
        assert busy_server.call(("count", port), timeout=50) == 0


def test_a_thread_that_the_task_does_not_wait_for_to_the_end_may_call(with_threads):
    port = with_threads.port
    assert with_threads.call(("limited", port), timeout=20) is True
    while not (found := with_threads.call(("found", port), timeout=20)):
        pass
    assert found == ["ran"]


def test_it_is_an_error_of_bgpy():
    assert issubclass(WouldDeadlock, (bgpy.BgpyError, RuntimeError))


async def asynchronous(client_socket, state, args):
    pass


def generator(client_socket, state, args):
    yield


async def both(client_socket, state, args):
    yield


class Callable:
    async def __call__(self, client_socket, state, args):
        pass


@pytest.mark.parametrize(
    "task",
    [asynchronous, generator, both, Callable(), Callable().__call__],
    ids=["async def", "generator", "async generator", "object", "method"],
)
def test_what_cannot_be_a_task_is_refused_before_anything_is_sent(start, task):
    import functools

    server = start()
    client = Client(HOST, server.port)
    for refused in (task, functools.partial(task)):
        with pytest.raises(bgpy.ConfigError, match="exec_task is .*: use a plain function"):
            client.initialize(dict, refused, print)
    assert client.status()["state"] == "UNINITIALIZED"


def test_a_file_with_a_task_that_cannot_run_does_not_start(tmp_path):
    path = tmp_path / "tasks.py"
    path.write_text(
        "def init_task(): return {}\nasync def exec_task(s, st, a): pass\ndef exit_task(*a): pass\n"
    )
    with pytest.raises(bgpy.StartError, match=r"exec_task .*async def.*asyncio.run"):
        Server(init_file=path).run_background()
