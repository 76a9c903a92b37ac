"""`bgpy stop`: ends servers in good order."""

from __future__ import annotations

import os
import select
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from bgpy import ServerStopping, connect, servers

from .commands import LIMIT_S, MODULE, Commands


def test_it_ends_and_is_remembered(each_form, camera):
    assert each_form.run("stop", "camera") == (0, "", "Stopped camera.\n")
    assert each_form.run("stop", "camera")[:2] == (3, "")
    assert "leaving" in each_form.run("logs", "camera")[1]


def test_all(commands, tasks, start):
    start()
    for name in ("one", "two"):
        assert commands.run("start", tasks, "--name", name)[0] == 0
    code, data, words = commands.run("stop", "--all")
    assert (code, data) == (0, "")
    assert len(words.splitlines()) == 3
    assert commands.run("ps", "-o", "json")[1] == "[]\n"
    assert commands.run("stop", "--all") == (0, "", "No servers are running.\n")


@pytest.fixture
def stuck(commands, tasks, tmp_path):
    """Have two servers run a task that ends when the stack is closed."""
    with ExitStack() as ends:
        for name in ("one", "two"):
            assert commands.run("start", tasks, "--name", name)[0] == 0
            pipe = tmp_path / name
            os.mkfifo(pipe)
            connect(name).execute({"open": str(pipe)})
            ends.enter_context(pipe.open("w"))
        yield ends


def told(stop):
    """Return what `bgpy stop --all` says that it waits for, without an order."""
    return {stop.stderr.readline() for _ in range(2)}


WAITING = {
    f"Waiting up to 1m for {name} to end: its last task or exit_task is still running.\n"
    for name in ("one", "two")
}


def test_all_are_stopped_at_once(each_form, stuck):
    stop = each_form.spawn("stop", "--all", "--grace", "1m")
    assert told(stop) == WAITING
    stuck.close()
    _, words = stop.communicate(timeout=LIMIT_S)
    assert (stop.returncode, set(words.splitlines())) == (0, {"Stopped one.", "Stopped two."})


def test_an_interruption_names_what_has_not_ended(stuck):
    commands = Commands(MODULE)
    try:
        stop = commands.spawn("stop", "--all", "--grace", "1m")
        assert told(stop) == WAITING
        stop.send_signal(signal.SIGINT)
        _, words = stop.communicate(timeout=LIMIT_S)
    finally:
        commands.close()
    assert stop.returncode in (130, -signal.SIGINT)
    (line,) = words.splitlines()
    before, _, names = line.partition(": not ended yet: ")
    assert (before, set(names.split(", "))) == ("error: interrupted", {"one", "two"})


@pytest.fixture
def busy(camera, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    connect("camera").execute({"open": str(pipe)})
    with pipe.open("w"):
        yield camera


def test_a_task_that_takes_longer_than_the_grace(busy):
    code, data, words = busy.run("stop", "camera", "--grace", "2")
    assert (code, data) == (4, "")
    assert "a task still runs" in words
    assert "`bgpy dump camera` shows where it is, and --force kills it" in words


def test_force(busy):
    pid = connect("camera").status()["pid"]
    code, data, words = busy.run("stop", "camera", "--grace", "2", "--force")
    assert (code, data) == (0, "")
    waiting, killed = words.splitlines()
    assert waiting.startswith("Waiting up to 2s for camera to end: its last task ")
    assert killed == f"Killed camera (process {pid})."
    data = busy.run("status", "camera")[1]
    assert "FAILED" in data
    assert "signal 9 (SIGKILL): killed by `bgpy stop --force`" in data


def test_one_whose_exit_task_fails_has_ended_all_the_same(commands, tasks):
    # Its process takes a while to end.
    left = "import atexit, time; atexit.register(time.sleep, 0.5); 1/0"
    tasks.write_text(tasks.read_text().replace('print("leaving")', left))
    for end in (["stop", "camera"], ["terminate", "127.0.0.1", None]):
        assert commands.run("start", tasks)[0] == 0
        status = connect("camera").status()
        process = os.pidfd_open(status["pid"])
        end[2:] = [servers()[0].address.rpartition(":")[2]] * len(end[2:])
        code, _, words = commands.run(*end)
        gone = select.select([process], [], [], 0)[0]
        os.close(process)
        assert code == 1
        assert "has ended, but its exit_task failed" in words
        assert "ZeroDivisionError" in words
        assert gone
        assert "exit hook" not in commands.run("status", "camera")[1]


@pytest.fixture
def socket(busy):
    """Return where the socket of the server is."""
    return str(servers()[0].socket)


@pytest.fixture
def stopping(busy, socket):
    """Have the server wait for its last task, so that it is about to end."""
    assert busy.run("stop", "camera", "--grace", "2")[0] == 4
    return busy


def test_one_that_is_stopping_says_so(stopping, socket):
    (info,) = servers()
    assert info.state == "STOPPING"
    for target in ("camera", info.address, socket):
        for command in (["ping", target], ["call", target, "1"]):
            code, data, words = stopping.run(*command)
            assert (code, data) == (3, "")
            assert f"{target} is stopping" in words
        with pytest.raises(ServerStopping, match="is stopping"):
            connect(target)
        stacks = stopping.run("dump", target)[1]
        assert "in exec_task\n    respond(client_socket, pipe.read())" in stacks
    why = "its last task or exit_task is still running"
    assert why in stopping.run("status", "camera")[1]
    assert why in stopping.run("doctor")[1]
    assert "stop requested by a client on this machine" in stopping.run("logs", "camera")[1]


def test_one_that_is_stopping_can_be_looked_into(stopping, socket, runtime):
    code, data, words = stopping.run("attach", "camera", given="state\n")
    assert (code, data, words) == (0, "{'calls': 1}\n", "")
    # Nothing of that is left, and the token is kept no longer than it is needed.
    assert stopping.run("kill", "camera")[0] == 0
    left = {path.suffix for path in runtime.iterdir() if path.stem == Path(socket).stem}
    assert left == {".log"}
    record = (runtime / "ended" / Path(socket).name).with_suffix(".json")
    assert '"token": null' in record.read_text()
    assert stopping.run("dump", "camera")[0] == 3


def test_one_that_is_stopping_can_have_a_successor(stopping, tasks):
    assert stopping.run("start", tasks, "--timeout", "20")[0] == 0
    assert connect("camera").call("where")


@pytest.mark.parametrize(
    ("end", "told"), [("os.abort", "signal 6 (SIGABRT)"), ("os._exit, 5", "exit code 5")]
)
@pytest.mark.parametrize("restart", ["never", "on-failure"])
@pytest.mark.parametrize("command", ["stop", "terminate"])
def test_a_process_that_fails_after_the_end_of_its_server(
    commands, tasks, end, told, restart, command
):
    tasks.write_text(f"import atexit, os\natexit.register({end})\n{tasks.read_text()}")
    assert commands.run("start", tasks, "--restart", restart)[0] == 0
    target = ["camera"]
    if command == "terminate":
        target = servers()[0].address.split(":")
    code, data, words = commands.run(command, *target)
    assert (code, data) == (1, "")
    assert f"{told}: its process failed after the server had ended" in words
    assert told in commands.run("status", "camera")[1]


@pytest.mark.parametrize("arguments", [[], ["camera", "--all"], ["camera", "--grace", "-1"]])
def test_arguments_that_make_no_sense(commands, arguments):
    assert commands.run("stop", *arguments)[:2] == (2, "")
