"""`bgpy run`: a server with a name, in the foreground."""

from __future__ import annotations

import os
import signal

import pytest

from bgpy import connect


@pytest.fixture
def run(each_form, tasks):
    def run(*options):
        process = each_form.spawn("run", tasks, *options)
        assert each_form.run("wait", "camera", "--for", "ready", "--timeout", "30")[0] == 0
        return process

    return run


def test_it_serves_until_it_is_stopped(run, commands):
    process = run("--env", "FILM=colour")
    client = connect("camera")
    assert client.status()["pid"] == process.pid
    assert client.call({"variable": "FILM"}) == "colour"
    assert os.getsid(process.pid) == os.getsid(0)
    assert commands.run("stop", "camera")[0] == 0
    data, words = process.communicate(timeout=30)
    assert process.returncode == 0
    assert data == "call 1 {'variable': 'FILM'}\nleaving\n"
    assert words.endswith("ended\n")


def test_ctrl_c_runs_exit_task(run):
    process = run()
    process.send_signal(signal.SIGINT)
    data, _ = process.communicate(timeout=30)
    assert (process.returncode, data) == (0, "leaving\n")


def test_its_log_is_where_it_was_started(run, commands):
    run()
    code, _, words = commands.run("logs", "camera")
    assert code == 1
    assert "where it was started" in words


def test_a_name_that_is_taken(run, commands, tasks):
    run()
    code, data, words = commands.run("run", tasks)
    assert (code, data) == (1, "")
    assert "a server named 'camera' runs already" in words
