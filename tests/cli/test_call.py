"""`bgpy call`: calls with JSON."""

from __future__ import annotations

import json
import os
import time

import pytest

from bgpy import connect, servers


@pytest.mark.parametrize("argument", ['{"a": [1, null, 0.5, "é"]}', "-1", '"text"', "[]"])
def test_json_goes_and_comes(each_form, camera, argument):
    code, data, words = each_form.run("call", "camera", argument)
    assert (code, words) == (0, "")
    assert json.loads(data) == {"calls": 1, "args": json.loads(argument)}


def test_from_a_file_and_from_a_pipe(camera, tmp_path):
    path = tmp_path / "request.json"
    path.write_text('{"from": "a file"}')
    assert json.loads(camera.run("call", "camera", f"@{path}")[1])["args"] == {"from": "a file"}
    assert json.loads(camera.run("call", "camera", "-", given="[1]")[1])["args"] == [1]


def test_a_task_that_raises(camera):
    code, data, words = camera.run("call", "camera", '"raise"')
    assert (code, data) == (1, "")
    assert "Traceback" in words
    assert words.endswith("error: camera: ValueError: no film in the camera\n")


def test_a_task_that_does_not_answer(camera):
    code, data, words = camera.run("call", "camera", '"silent"')
    assert (code, data) == (1, "")
    assert "without a response" in words


def test_without_waiting(camera, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    argument = json.dumps({"open": str(pipe)})
    assert camera.run("call", "camera", argument, "--no-wait") == (0, "", "")
    with pipe.open("w"):
        assert camera.run("call", "camera", "1", "--timeout", "0.2")[0] == 4


def test_a_server_without_tasks(commands, start):
    code, _, words = commands.run("call", f"127.0.0.1:{start().port}", "1")
    assert code == 1
    assert "no tasks yet" in words


@pytest.mark.parametrize("way", ["kill", "stop"])
def test_the_server_ends_while_it_is_called(camera, tmp_path, way):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    caller = camera.spawn("call", "camera", json.dumps({"open": str(pipe)}))
    assert camera.run("wait", "camera", "--for", "ready")[0] == 0
    while connect("camera").status()["state"] != "BUSY":
        time.sleep(0.01)
    if way == "kill":
        assert camera.run("kill", "camera")[0] == 0
    else:
        # What was accepted is answered first.
        stopping = camera.spawn("stop", "camera")
        while servers() and servers()[0].state != "STOPPING":
            time.sleep(0.01)
        pipe.write_text("light")
        stopping.communicate(timeout=30)
    data, words = caller.communicate(timeout=30)
    if way == "kill":
        assert (caller.returncode, data) == (1, "")
        assert "ended before it answered; the call may or may not have run (signal" in words
        # By whom, its supervisor may have told first, which does not know.
        assert "signal 9 (SIGKILL): killed by " in words
    else:
        assert (caller.returncode, data, words) == (0, '"light"\n', "")


def test_no_pickle_of_the_server_is_opened(each_form, camera):
    code, data, words = each_form.run("call", "camera", '"tuple"', "--no-pickle")
    assert (code, data) == (0, "[1,2]\n")
    code, data, words = each_form.run("call", "camera", '"array"', "--no-pickle")
    assert (code, data) == (1, "")
    assert "allow_pickle=False" in words


MEMBERS = """
import re
import signal
from bgpy import respond

ANSWERS = {
    "member": re.I,
    "inside": {"flags": [re.I | re.M, signal.SIGINT]},
    "keys": {signal.SIGINT: 1},
    "many": re.RegexFlag(1 << 40),
}


def init_task():
    return {}


def exec_task(client_socket, state, args):
    respond(client_socket, ANSWERS[args])


def exit_task(client_socket, state, args):
    pass
"""


@pytest.mark.parametrize("options", [[], ["--no-pickle"]])
def test_members_of_enumerations_are_shown_without_pickles(each_form, tmp_path, options):
    """Also where their class is not imported, and nobody may import it."""
    (tmp_path / "members.py").write_text(MEMBERS)
    assert each_form.run("start", tmp_path / "members.py", *options)[0] == 0
    for key, value in {"member": "2", "inside": "10", "keys": "1", "many": "1099511627776"}.items():
        code, data, words = each_form.run("call", "members", f'"{key}"', "--no-pickle", "--repr")
        assert (code, data.count("\n")) == (0, 1), words
        assert "Traceback" not in words
        assert value in data or "re.IGNORECASE" in data
    assert each_form.run("stop", "members")[0] == 0


def test_an_answer_that_cannot_be_opened_is_told_in_a_sentence(each_form, tmp_path):
    (tmp_path / "lost.py").write_text(LOST)
    assert each_form.run("start", tmp_path / "lost.py")[0] == 0
    code, data, words = each_form.run("call", "lost", "1")
    assert (code, data) == (1, "")
    assert "Traceback" not in words
    assert words.startswith("error: ")
    assert words.count("\n") == 1
    assert "not for you" in words
    assert each_form.run("stop", "lost")[0] == 0


LOST = """
from bgpy import respond


def fail(*_):
    raise ValueError("not for you")


class Shy:
    def __reduce__(self):
        return fail, (1,)


def init_task():
    return {}


def exec_task(client_socket, state, args):
    respond(client_socket, Shy())


def exit_task(client_socket, state, args):
    pass
"""


def test_a_server_that_proves_nothing_has_to_be_wanted(commands, tmp_path):
    serving = commands.serve("--no-auth")
    target = f"127.0.0.1:{serving.port}"
    elsewhere = os.environ | {"BGPY_RUNTIME_DIR": str(tmp_path / "elsewhere")}
    for command in (["ping"], ["status"], ["call", target, "1"], ["logs"], ["stop"]):
        name, *arguments = command if len(command) > 1 else [*command, target]
        code, _, words = commands.run(name, *arguments, env=elsewhere)
        assert (code, "cannot be verified" in words) == (5, True), words
    assert commands.run("ping", target, "--no-auth", env=elsewhere)[0] == 0
    assert commands.run("ping", "192.0.2.1:1", "--no-auth", env=elsewhere)[0] == 2
    assert commands.run("terminate", "127.0.0.1", serving.port, env=elsewhere)[0] == 5
    done = commands.run("terminate", "127.0.0.1", serving.port, "--no-auth", env=elsewhere)
    assert done[0] == 0
    serving.end()
