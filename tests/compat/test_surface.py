"""Every name of bgpy 0.1 to 0.3 that a script may import, with its parameters and defaults."""

from __future__ import annotations

import importlib
import importlib.resources
import inspect
import os

import pytest

import bgpy
from bgpy import Client, Server, execute, initialize, respond, terminate
from bgpy.core.environment import HOST, PORT
from bgpy.core.log import Log
from bgpy.core.message import Message, MessageType
from bgpy.core.token import token_create, token_delenv, token_getenv, token_setenv
from bgpy.example.tasks import exec_task, exit_task, init_task

NAMES = {
    "bgpy": "Client Server execute initialize respond terminate token_create __version__",
    "bgpy.interface": "execute initialize respond terminate",
    "bgpy.client": "Client",
    "bgpy.server": "Server respond",
    "bgpy.example": "",
    "bgpy.example.tasks": "exec_task exit_task init_task",
    "bgpy.core.environment": "ENV_TOKEN HOST LOG_LEVEL PORT STARTUP_TIME",
    "bgpy.core.token": "token_create token_delenv token_getenv token_setenv",
    "bgpy.core.message": "Message MessageType",
    "bgpy.core.sockets": "ClientSocket",
    "bgpy.core.log": "Log",
}
EMPTY = inspect.Parameter.empty
PARAMETERS = {
    Server: {
        "host": EMPTY,
        "port": EMPTY,
        "token": None,
        "log_level": "INFO",
        "log_file": None,
        "init_file": None,
    },
    Client: {"host": EMPTY, "port": EMPTY, "token": None, "log_level": "INFO", "log_file": None},
    Client.initialize: {"init_task": EMPTY, "exec_task": EMPTY, "exit_task": EMPTY},
    Client.execute: {"exec_args": EMPTY, "await_response": False},
    Client.terminate: {"exit_args": None, "await_response": False},
    initialize: {
        "init_task": EMPTY,
        "exec_task": EMPTY,
        "exit_task": EMPTY,
        "host": HOST,
        "port": PORT,
    },
    execute: {"exec_args": EMPTY, "await_response": False, "host": HOST, "port": PORT},
    terminate: {"exit_args": None, "await_response": False, "host": HOST, "port": PORT},
    respond: {"client_socket": EMPTY, "response": EMPTY, "error": False},
    token_create: {"length": 64},
    token_setenv: {"token": EMPTY},
    token_getenv: {},
    token_delenv: {},
    init_task: {},
    exec_task: {"client_socket": EMPTY, "init_args": EMPTY, "exec_args": EMPTY},
    exit_task: {"client_socket": EMPTY, "init_args": EMPTY, "exit_args": EMPTY},
}


@pytest.mark.parametrize("module", NAMES)
def test_names_can_be_imported(module):
    imported = importlib.import_module(module)
    assert [name for name in NAMES[module].split() if not hasattr(imported, name)] == []


def test_a_name_is_the_same_thing_everywhere():
    for name in ("Client", "Server", "respond", "initialize", "execute", "terminate"):
        modules = [module for module in NAMES if name in NAMES[module].split()]
        assert len({getattr(importlib.import_module(module), name) for module in modules}) == 1
    assert bgpy.token_create is token_create


@pytest.mark.parametrize("function", PARAMETERS, ids=lambda function: function.__qualname__)
def test_parameters_come_first_and_in_their_order(function):
    parameters = inspect.signature(function).parameters.values()
    known = [p for p in parameters if p.name != "self" and p.kind != p.KEYWORD_ONLY]
    expected = PARAMETERS[function]
    # What was needed may have a default by now, and parameters that came later must have one.
    found = {p.name: p.default for p in known[: len(expected)]}
    needed = {name: found[name] for name, default in expected.items() if default is EMPTY}
    assert found == expected | needed
    assert all(p.default is not EMPTY for p in known[len(expected) :])


def test_constants():
    environment = importlib.import_module("bgpy.core.environment")
    assert (environment.HOST, environment.PORT) == ("127.0.0.1", 54321)
    assert environment.LOG_LEVEL == "INFO"
    assert environment.ENV_TOKEN == "BGPY_TOKEN"
    assert environment.STARTUP_TIME >= 0


def test_message_types():
    assert [kind.name for kind in MessageType] == ["INIT", "EXEC", "EXIT", "AUTH", "OK", "ERROR"]


def test_messages():
    message = Message(MessageType.EXEC, {"a": 1})
    assert (message.type, message.args, message.get_args()) == (
        MessageType.EXEC,
        {"a": 1},
        {"a": 1},
    )
    message.set_args({"b": 2})
    assert message.get_args() == {"b": 2}
    assert Message(MessageType.OK).args == {}


def test_the_token_of_the_environment(monkeypatch):
    monkeypatch.setenv("BGPY_TOKEN", "before")
    assert token_getenv() == "before"
    token_setenv("after")
    assert os.environ["BGPY_TOKEN"] == token_getenv() == "after"
    token_delenv()
    token_delenv()
    assert token_getenv() is None
    assert "BGPY_TOKEN" not in os.environ


def test_a_token_that_was_set_is_used(start, tmp_path, monkeypatch):
    monkeypatch.setenv("BGPY_TOKEN", "restored by the test")
    token_setenv(token_create())
    server = start()
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    Client(HOST, server.port).ping()


def test_the_log_writes_where_it_is_told(tmp_path, capsys):
    path = tmp_path / "task.log"
    log = Log("a task", "INFO", "tag", path)
    log.debug("too little")
    log.info("enough")
    log.error("too much")
    output, errors = capsys.readouterr()
    assert "enough" in output
    assert "too much" not in output
    assert "too much" in errors
    text = path.read_text()
    assert "tag: enough" in text
    assert "too much" in text
    assert "too little" not in text
    for handler in log.logger.handlers:
        handler.close()


def test_what_a_task_gets_is_a_client_socket(serve):
    def tell(client_socket, state, args):
        from bgpy.core.sockets import ClientSocket

        respond(client_socket, isinstance(client_socket, ClientSocket))

    assert serve(tell).call({}) is True


def test_the_example_is_a_file():
    text = (importlib.resources.files("bgpy.example") / "tasks.py").read_text()
    assert all(f"def {name}_task(" in text for name in ("init", "exec", "exit"))


@pytest.mark.parametrize(
    "start_it",
    [
        lambda host, port: initialize(init_task, exec_task, exit_task, host, port),
        lambda host, port: initialize(init_task, exec_task, exit_task, host=host, port=port),
        lambda host, port: initialize(
            init_task=init_task, exec_task=exec_task, exit_task=exit_task, host=host, port=port
        ),
        lambda host, port: initialize(host, port, init_task, exec_task, exit_task),
    ],
    ids=["positions", "address-by-name", "names", "address-first"],
)
def test_initialize_takes_its_arguments_in_each_form(port, start_it):
    assert start_it(HOST, port) == {"message": "Initialization successful."}
    assert execute({"command": "increase", "value_change": 5}, False, HOST, port) == {
        "message": "Received 'EXEC'"
    }
    assert terminate({}, True, HOST, port)["value"] == 1005


def test_initialize_takes_what_listens_there(start):
    server = start()
    assert initialize(init_task, exec_task, exit_task, HOST, server.port) == {
        "message": "Initialization successful."
    }
    assert Client(HOST, server.port).status()["pid"] == server.pid
    assert initialize(HOST, server.port, init_task, exec_task, exit_task) == {
        "message": "Already initialized."
    }


def test_initialize_starts_no_server_for_another_machine():
    with pytest.raises(ConnectionError):
        initialize("192.0.2.1", 1, init_task, exec_task, exit_task, timeout=1)


def test_initialize_ends_the_server_whose_init_task_fails(port, runtime):
    def fail():
        raise KeyError("film")

    with pytest.raises(bgpy.RemoteError, match="film"):
        initialize(fail, exec_task, exit_task, HOST, port)
    assert [path.suffix for path in runtime.iterdir() if path.name != "ended"] == [".log"]
    assert not Server(HOST, port).is_alive()


def test_initialize_and_terminate_follow_each_other_at_once(port):
    for _ in range(10):
        assert initialize(init_task, exec_task, exit_task, port=port) == {
            "message": "Initialization successful."
        }
        execute({"command": "increase", "value_change": 5}, port=port)
        assert terminate(port=port) == {"message": "Received 'EXIT'"}


def test_execute_where_nothing_runs(port):
    with pytest.raises(bgpy.NotRunning):
        execute({}, port=port)
    with pytest.raises(bgpy.NotRunning):
        terminate(port=port)
