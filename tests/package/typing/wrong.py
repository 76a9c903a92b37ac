"""Uses that type checkers refuse: each line with the remark at its end, and no other one."""

from __future__ import annotations

from typing import Any

from bgpy import Client, ClientSocket, Server, connect, respond, servers, start
from bgpy.interface import execute, initialize


def init_task() -> dict[str, int]:
    return {"visits": 0}


def exec_task(client_socket: ClientSocket, state: Any, args: Any) -> None:
    respond(client_socket, args)


def exec_with_two(client_socket: ClientSocket, state: Any) -> None:
    respond(client_socket, state)


def use() -> None:
    start("tasks.py", idle_timeot=3)  # error
    start("tasks.py", restart="sometimes")  # error
    start("tasks.py", log_level="LOUD")  # error
    start("tasks.py", port="54321")  # error
    start((exec_task, init_task))  # error
    start((init_task, exec_with_two))  # error
    start((init_task,))  # error
    start(exec_task)  # error
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
