"""Servers and clients as objects, as scripts for bgpy 0.2 and 0.3 use them."""

from __future__ import annotations

import importlib.resources

import pytest

from bgpy import Client, Server, respond, token_create
from bgpy.example.tasks import exec_task, exit_task, init_task

HOST = "127.0.0.1"


def test_server_client_and_token(start, port):
    token = token_create()
    server = start(HOST, port, token=token)
    assert server.port == port
    client = Client(HOST, port, token=token)
    assert client.initialize(init_task, exec_task, exit_task) == {
        "message": "Initialization successful."
    }
    assert client.initialize(init_task, exec_task, exit_task) == {"message": "Already initialized."}
    increase = {"command": "increase", "value_change": 10}
    assert client.execute(increase) == {"message": "Received 'EXEC'"}
    assert client.execute({"command": "decrease", "value_change": 100}) == {
        "message": "Received 'EXEC'"
    }
    result = client.terminate(await_response=True)
    assert result == {"request_count": 3, "value": 910, "status": "Exited."}
    assert server.wait(20) == 0
    assert increase == {"command": "increase", "value_change": 10}


def test_run_background_returns_none(port):
    server = Server(HOST, port)
    assert server.run_background() is None
    assert Client(HOST, port).terminate() == {"message": "Received 'EXIT'"}
    assert server.wait(20) == 0


def test_positional_arguments(start, port, tmp_path):
    token, log = token_create(), tmp_path / "server.log"
    server = Server(HOST, port, token, "DEBUG", str(log))
    server.run_background()
    client = Client(HOST, port, token, "DEBUG", str(tmp_path / "client.log"))
    client.initialize(init_task, exec_task, exit_task)
    assert client.execute({"command": "increase", "value_change": 1}, False)
    assert client.terminate({}, True)["value"] == 1001
    assert server.wait(20) == 0
    assert "listens on" in log.read_text()


def test_the_example_as_an_init_file(start):
    with importlib.resources.as_file(
        importlib.resources.files("bgpy.example") / "tasks.py"
    ) as path:
        server = start(init_file=path)
    client = Client(HOST, server.port)
    assert client.initialize(init_task, exec_task, exit_task) == {"message": "Already initialized."}
    client.execute({"command": "increase", "value_change": 10})
    assert client.terminate(await_response=True)["value"] == 1010


def test_execute_with_a_response(serve):
    def tell(client_socket, state, args):
        respond(client_socket, {"sum": args["a"] + args["b"]})
        return state

    assert serve(tell).execute({"a": 1, "b": 2}, await_response=True) == {"sum": 3}


def test_execute_returns_error_responses_too(serve):
    def complain(client_socket, state, args):
        respond(client_socket, {"message": "no film"}, error=True)
        return state

    assert serve(complain).execute({}, await_response=True) == {"message": "no film"}


def test_terminate_gives_exit_task_its_arguments(serve):
    def leave(client_socket, state, args):
        respond(client_socket, args)

    assert serve(print, exit_task=leave).terminate({"a": 1}, await_response=True) == {"a": 1}
    assert serve(print, exit_task=leave).terminate(await_response=True) == {}


def test_terminate_gives_the_address_up_before_it_returns(port):
    for _ in range(10):
        server = Server(HOST, port)
        server.run_background()
        client = Client(HOST, port)
        assert client.initialize(init_task, exec_task, exit_task) == {
            "message": "Initialization successful."
        }
        client.terminate()


@pytest.mark.parametrize("init", [lambda: {"a": 1}, lambda client_socket: {"a": 1}])
def test_init_task_with_and_without_the_client_socket(serve, init):
    client = serve(lambda caller, state, args: respond(caller, state), init)
    assert client.execute({}, await_response=True) == {"a": 1}


def test_a_server_in_the_foreground(scripts, port):
    script = scripts.spawn(
        """
        import sys
        from bgpy import Server

        Server("127.0.0.1", int(sys.argv[1]), token="secret").run()
        print("over")
        """,
        port,
    )
    assert "listens on" in script.stderr.readline()
    client = Client(HOST, port, token="secret")
    client.initialize(init_task, exec_task, exit_task)
    assert client.terminate(await_response=True)["request_count"] == 1
    assert script.communicate(timeout=60)[0] == "over\n"
