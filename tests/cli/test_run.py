"""`bgpy run`: a server with a name, in the foreground."""

from __future__ import annotations

import os
import signal

import pytest
from support.processes import kill

from bgpy import SerializationError, connect


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


def test_it_has_the_options_of_start(run):
    run("--no-pickle", "--max-message-bytes", "65536")
    with pytest.raises(SerializationError, match="65536"):
        connect("camera").call(b"x" * 65536)
    with pytest.raises(SerializationError, match="allow_pickle=False"):
        connect("camera").call(object())


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
    assert "a server named 'camera' is already running" in words


@pytest.fixture
def supervised(run):
    """Return the process that runs a server and starts it again."""
    return run("--restart", "on-failure", "--env", "FILM=colour")


def test_one_that_fails_is_started_again(supervised, commands):
    client = connect("camera")
    first = client.status()["pid"]
    assert first != supervised.pid
    assert os.getsid(first) == os.getsid(0)
    kill(first)
    assert client.call({"variable": "FILM"}, timeout=30) == "colour"
    assert commands.run("stop", "camera")[0] == 0
    data, words = supervised.communicate(timeout=30)
    assert supervised.returncode == 0
    assert data == "call 1 {'variable': 'FILM'}\nleaving\n"
    assert "the server's process has failed: signal 9 (SIGKILL)" in words
    assert "restarting the server (restart 1)" in words
    assert words.endswith("ended\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_one_that_would_be_started_again(supervised, number):
    pid = connect("camera").status()["pid"]
    if number == signal.SIGINT:
        # A terminal sends it to both.
        os.kill(pid, number)
    supervised.send_signal(number)
    data, _ = supervised.communicate(timeout=30)
    assert (supervised.returncode, data) == (0, "leaving\n")


def test_a_name_that_is_taken_under_supervision(supervised, commands, tasks):
    code, data, words = commands.run("run", tasks, "--restart", "on-failure")
    assert (code, data) == (1, "")
    assert "a server named 'camera' is already running" in words


def test_tasks_that_do_not_start_under_supervision(each_form, tasks):
    tasks.write_text("1 / 0")
    code, _, words = each_form.run("run", tasks, "--restart", "on-failure")
    assert code == 1
    assert words.count("Traceback") == 1
    assert each_form.run("ps", "-o", "json")[1] == "[]\n"
