"""The README of bgpy 0.1, word for word, at its default address."""

from __future__ import annotations

import subprocess

import pytest
from support.scripts import Scripts

RUN_THE_SERVER = """
# Import example tasks, same as defined in the section above
from bgpy.example.tasks import init_task, exec_task, exit_task

from bgpy.interface import initialize, execute, terminate

# Start background process and initialize
initialize(init_task, exec_task, exit_task)

# Execute command "increase" on server
execute({"command": "increase", "value_change": 10})

# Execute command "decrease" on server
execute({"command": "decrease", "value_change": 100})

# Terminate and wait for second response
args = terminate(await_response=True)
"""

DEFINE_TASKS = """
from bgpy import respond
from bgpy.core.sockets import ClientSocket

def init_task(client_socket: ClientSocket) -> dict:
    init_args = {"request_count": 0, "value": 1000}
    return init_args

def exec_task(
    client_socket: ClientSocket, init_args: dict, exec_args: dict
) -> dict:
    init_args["request_count"] += 1
    if exec_args["command"] == "increase":
            init_args["value"] += exec_args["value_change"]
    if exec_args["command"] == "decrease":
            init_args["value"] -= exec_args["value_change"]
    return init_args

def exit_task(
    client_socket: ClientSocket, init_args: dict, exit_args: dict
) -> None:
    init_args["request_count"] += 1
    init_args["status"] = "Exited."
    respond(client_socket, init_args)
    return None
"""

RESULT = {"request_count": 3, "value": 910, "status": "Exited."}

pytestmark = pytest.mark.usefixtures("default_address")


def test_the_script_of_the_readme(scripts: Scripts) -> None:
    assert scripts.run(RUN_THE_SERVER + "print(args)") == f"{RESULT}\n"


def test_the_script_of_the_readme_runs_again_and_again(scripts: Scripts) -> None:
    for _ in range(3):
        assert scripts.run(RUN_THE_SERVER + "print(args)") == f"{RESULT}\n"


def test_the_tasks_of_the_readme_in_the_script_itself(scripts: Scripts) -> None:
    own = RUN_THE_SERVER.replace(
        "from bgpy.example.tasks import init_task, exec_task, exit_task", ""
    )
    assert scripts.run(DEFINE_TASKS + own + "print(args)") == f"{RESULT}\n"


def test_the_script_has_no_output_of_its_own(scripts: Scripts) -> None:
    script = scripts.spawn(RUN_THE_SERVER)
    assert script.communicate(timeout=60) == ("", "")
    assert script.returncode == 0


def test_each_step_may_be_a_script_of_its_own(scripts: Scripts) -> None:
    imports, *steps = RUN_THE_SERVER.split("# Start background process and initialize")
    start, increase, decrease, end = "".join(steps).split("\n# ")
    assert scripts.run(f"{imports}\nprint({start.strip()})") == (
        "{'message': 'Initialization successful.'}\n"
    )
    assert scripts.run(f"{imports}\nprint({start.strip()})") == (
        "{'message': 'Already initialized.'}\n"
    )
    for step in (increase, decrease):
        call = step.partition("\n")[2].strip()
        assert scripts.run(f"{imports}\nprint({call})") == "{'message': \"Received 'EXEC'\"}\n"
    assert scripts.run(f"{imports}\n# {end}\nprint(args)") == f"{RESULT}\n"


def test_the_server_outlives_the_script_that_started_it(scripts: Scripts) -> None:
    imports, _, rest = RUN_THE_SERVER.partition("# Start background process and initialize")
    start, _, _ = rest.partition("# Execute")
    script = scripts.spawn(imports + start + "print('started', flush=True)\ninput()", stdin=-1)
    assert script.stdout is not None
    assert script.stdout.readline() == "started\n"
    script.kill()
    script.wait(60)
    assert scripts.run(imports + "print(terminate(await_response=True))") == (
        "{'request_count': 1, 'value': 1000, 'status': 'Exited.'}\n"
    )


def test_terminate_without_a_wait(scripts: Scripts) -> None:
    script = RUN_THE_SERVER.replace("terminate(await_response=True)", "terminate()")
    assert scripts.run(script + "print(args)") == "{'message': \"Received 'EXIT'\"}\n"


def test_a_server_of_the_command_line_is_initialized_by_a_script(
    scripts: Scripts, console: str
) -> None:
    server = subprocess.Popen([console, "server", "127.0.0.1", "54321"], stderr=subprocess.PIPE)
    with server:
        assert server.stderr is not None
        assert b"listens on 127.0.0.1:54321" in server.stderr.readline()
        host_first = RUN_THE_SERVER.replace(
            "initialize(init_task, exec_task, exit_task)",
            'initialize("127.0.0.1", 54321, init_task, exec_task, exit_task)',
        )
        assert scripts.run(host_first + "print(args)") == f"{RESULT}\n"
        server.communicate(timeout=60)
    assert server.returncode == 0
