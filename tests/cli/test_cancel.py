"""`bgpy cancel`: the call that runs, or one that waits."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest
from support.processes import stand_still

from bgpy import CallCancelled

from .commands import HOST, LIMIT_S
from .working import hall

__all__ = ["hall"]


@pytest.mark.parametrize("options", [[], [1]], ids=["the-one-that-runs", "by-number"])
def test_a_call_that_runs(each_form, hall, options):
    call = hall.client.begin(hall.sleeping())
    hall.wait_begun()
    code, data, words = each_form.run("cancel", "hall", *options)
    assert (code, data) == (0, "")
    assert re.fullmatch(r"Cancelled call 1 of hall \(exec_task, after \d+\.\ds\)\.\n", words)
    # The command returns when the call is over.
    assert hall.client.status()["call"] is None
    with pytest.raises(CallCancelled):
        call.result(LIMIT_S)
    assert hall.ends() == ["cancelled"]


def test_a_call_that_waits(hall):
    hall.client.execute(hall.sleeping())
    waiting = hall.client.begin("waits")
    hall.wait_begun()
    code, data, words = hall.commands.run("cancel", "hall", 2)
    assert (code, data) == (0, "")
    assert words == "Cancelled call 2 of hall: it was waiting, and will not run.\n"
    with pytest.raises(CallCancelled, match="before it began"):
        waiting.result(LIMIT_S)
    assert hall.client.status()["call"] == 1


def test_there_is_no_such_call(hall):
    assert hall.commands.run("cancel", "hall") == (1, "", "error: no call runs on hall\n")
    hall.client.call(1)
    # The answer comes before the end.
    while hall.client.status()["call"] is not None:
        pass
    words = "error: no call 1 runs or waits on hall\n"
    assert hall.commands.run("cancel", "hall", 1) == (1, "", words)


def test_a_task_that_goes_on(hall):
    hall.client.execute({"stubborn": str(hall.mark)})
    hall.wait_begun()
    for _ in range(2):
        code, data, words = hall.commands.run("cancel", "hall", "--timeout", "0.3")
        assert (code, data) == (1, "")
        assert words.startswith("error: call 1 of hall still runs after 0.3s: its task ")
        assert words.endswith("`bgpy dump hall` shows what it does\n")
    assert hall.client.status()["progress"]["text"] == "stubborn"


def test_a_task_that_answers_nevertheless(hall):
    call = hall.client.begin(hall.sleeping(on_cancel="answer"))
    hall.wait_begun()
    assert hall.commands.run("cancel", "hall")[0] == 0
    assert call.result(LIMIT_S) == "partly"


def test_a_server_that_ends_with_its_call(hall):
    hall.client.execute(hall.sleeping(on_cancel="die"))
    hall.wait_begun()
    code, data, words = hall.commands.run("cancel", "hall")
    assert (code, data) == (3, "")
    assert "hall ended while its call was being cancelled (exit code 3" in words


def test_for_scripts(hall):
    def cancel(*options):
        code, data, _ = hall.commands.run("cancel", "hall", *options, "-o", "json")
        return code, json.loads(data)

    nothing = {
        "target": "hall",
        "call": None,
        "job": None,
        "task": None,
        "result": "unknown",
        "ran_s": None,
    }
    assert cancel() == (1, nothing)
    hall.client.execute(hall.sleeping())
    hall.client.execute(1)
    hall.wait_begun()
    task = nothing | {"task": "exec_task"}
    assert cancel(2) == (0, task | {"call": 2, "result": "removed"})
    code, told = cancel()
    assert (code, told | {"ran_s": 0}) == (0, task | {"call": 1, "result": "cancelled", "ran_s": 0})
    assert 0 <= told["ran_s"] < LIMIT_S
    hall.mark.unlink()
    hall.client.execute({"stubborn": str(hall.mark)})
    hall.wait_begun()
    assert cancel("--timeout", "0.2") == (1, task | {"call": 3, "result": "running"})


def test_the_command_is_interrupted(each_form, hall):
    hall.client.execute({"stubborn": str(hall.mark)})
    hall.wait_begun()
    process = each_form.spawn("cancel", "hall", "--timeout", "1h")
    hall.wait_told()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode in (130, -signal.SIGINT)


def test_a_server_that_does_not_respond(hall):
    pid = hall.client.status()["pid"]
    stand_still(pid)
    try:
        assert hall.commands.run("cancel", "hall", "--timeout", "0.3")[0] == 4
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nobody"], 3), ([f"{HOST}:1"], 3), (["hall", "-1"], 2), ([], 2)],
)
def test_wrong_arguments(commands, arguments, code):
    assert commands.run("cancel", *arguments)[:2] == (code, "")


def test_from_elsewhere(hall, runtime, tmp_path):
    (path,) = runtime.glob("*.json")
    entry = json.loads(path.read_text())
    elsewhere = os.environ | {"BGPY_RUNTIME_DIR": str(tmp_path / "elsewhere")}
    assert hall.commands.run("cancel", entry["address"], env=elsewhere)[0] == 5
    hall.client.execute(hall.sleeping())
    hall.wait_begun()
    with_token = elsewhere | {"BGPY_TOKEN": entry["token"]}
    assert hall.commands.run("cancel", entry["address"], env=with_token)[0] == 0
