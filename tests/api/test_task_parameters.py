"""Tasks with the wrong parameters are refused at once, and exit_task may be left out."""

from __future__ import annotations

import functools
import os

import pytest

from bgpy import Client, ConfigError, RemoteError, Server, StartError, connect, respond, start
from bgpy.interface import initialize, terminate

HOST = "127.0.0.1"


def init_task():
    return {"calls": 0}


def exec_task(client_socket, state, args):
    respond(client_socket, [os.getpid(), args])


def exit_task(client_socket, state, args):
    respond(client_socket, "bye")


def keyword_only(client_socket, state, args, *, more):
    pass


def two(client_socket, state):
    pass


def four(client_socket, state, args, more):
    pass


class Method:
    def right(self, client_socket, state, args):
        respond(client_socket, args)

    def wrong(self, client_socket, state):
        pass

    def __call__(self, client_socket, state):
        pass


WRONG = [two, four, keyword_only, Method().wrong, Method(), functools.partial(exec_task, None)]
RIGHT = [
    exec_task,
    Method().right,
    lambda *all_of_them: respond(all_of_them[0], all_of_them[2]),
    lambda client_socket, state, args=None, more=1: respond(client_socket, args),
    functools.partial(four, more=1),
    functools.wraps(exec_task)(lambda *args: exec_task(*args)),
]
FILE = """
from bgpy import respond

def init_task():
    return {}

def exec_task(client_socket, state, args):
    respond(client_socket, args)
"""


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_parameters_are_refused_before_anything_is_sent(wrong, start):
    client = Client(HOST, start().port)
    for tasks, name in [
        ((init_task, wrong, exit_task), "exec_task"),
        ((init_task, exec_task, wrong), "exit_task"),
    ]:
        with pytest.raises(ConfigError, match=f"{name} must take three parameters: client_socket"):
            client.initialize(*tasks)
    assert client.status()["state"] == "UNINITIALIZED"
    with pytest.raises(ConfigError, match="init_task must take no parameters, or one"):
        client.initialize(two, exec_task)
    client.initialize(init_task, exec_task)


@pytest.mark.parametrize("right", RIGHT)
def test_right_parameters_are_accepted(right, start):
    client = Client(HOST, start().port)
    client.initialize(init_task, right, right)
    if getattr(right, "func", None) is not four:
        client.call("hello", 20)


def test_a_file_with_wrong_parameters_does_not_start(tmp_path):
    path = tmp_path / "tasks.py"
    path.write_text(FILE.replace("state, args", "state"))
    with pytest.raises(StartError, match="exec_task must take three parameters"):
        start(path)


def test_a_file_needs_no_exit_task(tmp_path):
    path = tmp_path / "tasks.py"
    path.write_text(FILE)
    server = start(path, "short")
    client = connect("short")
    assert client.call(1) == 1
    assert client.terminate(await_response=False) == {"message": "Received 'EXIT'"}
    assert server.wait(20) == 0


def test_functions_need_no_exit_task(tmp_path):
    with start((init_task, exec_task)) as server, connect(server.target) as client:
        assert client.call(1, 20)[1] == 1
        server.stop(20)
    server = Server(HOST)
    server.run_background()
    client = Client(HOST, server.port)
    client.initialize(init_task, exec_task)
    client.terminate()
    assert server.wait(20) == 0
    with pytest.raises(ConfigError, match="not a tuple of 1"):
        start((init_task,))
    with pytest.raises(ConfigError, match="not one function"):
        start(exec_task)


def test_the_functions_of_0_1_need_none_either(start):
    server = start()
    initialize(init_task, exec_task, port=server.port)
    assert Client(HOST, server.port).call(1, 20)[1] == 1
    terminate(port=server.port)
    assert server.wait(20) == 0


def test_a_restarted_server_needs_none_either(tmp_path):
    server = start((init_task, exec_task), "again", restart="on-failure")
    client = connect("again")
    pid, _ = client.call(1, 20)
    client.close()
    os.kill(pid, 9)
    assert client.call(2, 20)[0] != pid
    server.stop(20)


def test_an_unknown_option_is_refused(tmp_path):
    with pytest.raises(TypeError, match="idle_timeot"):
        start("tasks.py", idle_timeot=3)


def test_a_task_that_lies_about_its_parameters_fails_as_any_other(start):
    @functools.wraps(exec_task)
    def lies():
        pass

    client = Client(HOST, start().port)
    client.initialize(init_task, lies)
    with pytest.raises(RemoteError, match="takes 0 positional arguments"):
        client.call(1, 20)
