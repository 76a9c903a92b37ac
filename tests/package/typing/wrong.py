"""Uses that type checkers refuse: each line with the remark at its end, and no other one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bgpy
from bgpy import Client, ClientSocket, Server, connect, respond, servers, start
from bgpy.interface import execute, initialize


def init_task() -> dict[str, int]:
    return {"visits": 0}


def exec_task(client_socket: ClientSocket, state: Any, args: Any) -> None:
    respond(client_socket, args)


def exec_with_two(client_socket: ClientSocket, state: Any) -> None:
    respond(client_socket, state)


class Counter:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    @bgpy.method(read=True)
    def peek(self) -> int:
        return self.value

    def increase(self, by: int = 1) -> int:
        self.value += by
        return self.value

    def words(self, text: str) -> Iterator[str]:
        yield from text.split()


def use_methods() -> None:
    counter = connect("counter", Counter)
    counter.incraese()  # error
    counter.increase("two")  # error
    counter.increase(by="two")  # error
    counter.increase(1, 2)  # error
    text: str = counter.peek()  # error
    for word in counter.words("a b"):
        print(word.real)  # error
    bgpy.begin(counter.increase, "two")  # error
    bgpy.begin(counter.increase, 2).results()  # error
    bgpy.options(counter.increase, timeuot=3)  # error
    bgpy.submit(counter.increase, "two")  # error
    bgpy.submit(counter.increase, 2).results()  # error
    bgpy.options(counter.increase, timeout=3)("two")  # error
    connect("counter", 5)  # error
    bgpy.method(reads=True)  # error
    print(text)


def use() -> None:
    start("tasks.py", idle_timeot=3)  # error
    start("tasks.py", restart="sometimes")  # error
    start("tasks.py", log_level="LOUD")  # error
    start("tasks.py", port="54321")  # error
    start((exec_task, init_task))  # error
    start((init_task, exec_with_two))  # error
    start((init_task,))  # error
    start(5)  # error
    Server(restart="always")  # error
    Server(init_flie="tasks.py")  # error
    client = connect("greeter")
    client.initialize(exec_task, init_task)  # error
    client.initialize(init_task, exec_with_two)  # error
    client.call("hello", timeuot=3)  # error
    client.calls("hello")  # error
    if client.status()["state"] == "WORKING":  # error
        pass
    respond("no socket", 1)  # error
    Client(host=5)  # error
    initialize(exec_task, init_task)  # error
    execute()  # error
    print(servers()[0].stat)  # error
