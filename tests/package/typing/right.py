"""Uses that type checkers accept in strict mode."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import bgpy
from bgpy import Client, ClientSocket, Server, ServerInfo, connect, respond, servers, start
from bgpy.interface import execute, initialize, terminate


def init_task() -> dict[str, int]:
    return {"visits": 0}


def init_with_socket(client_socket: ClientSocket) -> dict[str, int]:
    respond(client_socket, "started")
    return {}


def exec_task(client_socket: ClientSocket, state: dict[str, int], args: str) -> None:
    client_socket.respond(args)


def exec_with_state(client_socket: ClientSocket, state: Any, args: Any) -> dict[str, int]:
    respond(client_socket, {"error": args}, error=True)
    return {"visits": 1}


def exit_task(client_socket: ClientSocket, state: Any, args: Any) -> None:
    print("bye")


class Callable:
    def __call__(self, client_socket: ClientSocket, state: Any, args: Any) -> None:
        respond(client_socket, None)


def use(path: Path) -> None:
    assert_type(start("tasks.py"), Server)
    start(path, "greeter", exist_ok=True, env={"A": "b"}, cwd=path, python="python3", timeout=3)
    start("package.tasks", host="localhost", port=0, token="secret", log_level="DEBUG")
    start((init_task, exec_task))
    start((init_task, exec_task, exit_task), name="greeter", restart="on-failure:3")
    start((init_with_socket, exec_with_state, exit_task), idle_timeout=60, restart="never")
    start((dict, Callable()), auth=False, allow_pickle=True, max_message_bytes=9)
    with Server(init_file=path, restart="on-failure") as server, connect(server.target) as client:
        assert_type(client, Client)
        assert_type(client.initialize(init_task, exec_task), dict[str, str])
        client.initialize(init_task, exec_task, exit_task, timeout=5)
        client.execute({"a": 1}, await_response=True)
        assert_type(client.call("hello"), Any)
        assert_type(server.wait(), int | None)
        if client.status()["state"] == "BUSY":
            print(client.status()["task"], client.status()["rss_bytes"])
    for info in servers(ended=True):
        assert_type(info, ServerInfo)
        if info.state == "FAILED":
            print(info.reason, info.exit_code)
        assert_type(dict(info), dict[str, str | int | float | None])
    assert_type(connect("greeter").logs(), str)
    for line in connect("greeter").logs(0, follow=True):
        assert_type(line, str)
    assert_type(Server().logs(lines=3), str)
    connect("greeter").call("hello", echo=True)
    initialize(init_task, exec_task)
    initialize(init_task, exec_task, exit_task, "127.0.0.1", 54321)
    initialize("127.0.0.1", 54321, init_task, exec_task, exit_task)
    execute({"x": 1}, True)
    terminate(await_response=True)
    try:
        Client("greeter").ping(1)
    except (bgpy.NotRunning, bgpy.CallTimeout) as error:
        print(error)


class Counter:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    @bgpy.method(read=True)
    def peek(self) -> int:
        return self.value

    @bgpy.method
    def increase(self, by: int = 1) -> int:
        self.value += by
        return self.value

    def words(self, text: str) -> Iterator[str]:
        yield from text.split()

    async def wait(self, seconds: float) -> str:
        return str(seconds)


def use_methods(target: Server) -> None:
    start(Counter, name="counter")
    start(functools.partial(Counter, 5), "other")
    start("counter.py:Counter", timeout=5)
    counter = connect("counter", Counter)
    assert_type(counter, Counter)
    assert_type(connect(target, Counter).increase(2), int)
    assert_type(counter.peek(), int)
    for word in counter.words("a b"):
        assert_type(word, str)
    call = bgpy.begin(counter.increase, by=2)
    assert_type(call, bgpy.Call[int])
    assert_type(call.result(5), int)
    assert_type(bgpy.options(counter.increase, timeout=5, on_progress=print)(3), int)
    assert_type(bgpy.submit(counter.increase, by=2), bgpy.Job[int])
    assert_type(bgpy.submit(bgpy.options(counter.increase, key="one", keep=60), 2).result(), int)
    assert_type(bgpy.client(counter), Client)
    assert_type(connect("counter").service(Counter), Counter)
    bgpy.serve(Counter, "counter")


async def use_awaited() -> None:
    counter = await bgpy.aio.connect("counter", Counter)
    print(await counter.increase(3))
