"""`bgpy dump`: the stack of every thread, whatever the server does."""

from __future__ import annotations

import os
import re
import threading

import pytest

from bgpy import connect

from .commands import HOST

TASKS = """\
import asyncio
import ctypes
import threading
import time
from pathlib import Path

from bgpy import respond

ended = threading.Event()


def init_task():
    return {}


def exec_task(client_socket, state, args):
    match args:
        case {"sleep": mark}:
            Path(mark).touch()
            rest_in_peace()
        case {"hold": mark}:
            Path(mark).touch()
            hold_the_interpreter()
        case {"loop": mark}:
            asyncio.run(several(mark))
        case "threads":
            for number in range(3):
                threading.Thread(target=ended.wait, name=f"worker-{number}", daemon=True).start()
            respond(client_socket, "started")
        case "release":
            ended.set()
        case {"deep": mark}:
            deeper(500, mark)
        case _:
            respond(client_socket, args)


def rest_in_peace():
    time.sleep(60)


def hold_the_interpreter():
    ctypes.PyDLL(None).sleep(60)


def deeper(left, mark):
    if left == 0:
        Path(mark).touch()
        rest_in_peace()
    deeper(left - 1, mark)


async def several(mark):
    await asyncio.gather(outer(), last(mark))


async def outer():
    await inner()


async def inner():
    await asyncio.sleep(60)


async def last(mark):
    await asyncio.sleep(0)
    Path(mark).touch()
    await asyncio.sleep(60)
"""


@pytest.fixture
def hall(commands, tmp_path):
    """Start a server with the name 'hall'."""
    path = tmp_path / "hall.py"
    path.write_text(TASKS)
    assert commands.run("start", path)[0] == 0
    return commands


def busy(tmp_path, kind):
    mark = tmp_path / "mark"
    connect("hall").execute({kind: str(mark)})
    while not mark.exists():
        pass


def test_a_server_that_waits(each_form, hall):
    code, data, words = each_form.run("dump", "hall")
    assert (code, words) == (0, "")
    pid = connect("hall").status()["pid"]
    assert re.match(rf"process {pid}, Python 3\.\d+\.\d+, most recent call last\n", data)
    assert "Thread 'MainThread' runs the server:\n  waits for calls\n" in data


def test_a_task_that_sleeps(hall, tmp_path):
    busy(tmp_path, "sleep")
    data = hall.run("dump", "hall")[1]
    assert re.search(r"Thread 'MainThread' runs exec_task for \d+\.\d s:\n", data)
    assert "in rest_in_peace\n    time.sleep(60)" in data
    assert data.index("in exec_task") < data.index("in rest_in_peace")
    assert "_background.py" not in data


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signal")
def test_a_call_that_holds_the_interpreter(hall, tmp_path):
    busy(tmp_path, "hold")
    for _ in range(2):
        code, data, words = hall.run("dump", "hall")
        assert (code, words) == (0, "")
        assert "a call into an extension holds it (the GIL)" in data
        assert re.search(r'hall\.py", line \d+ in hold_the_interpreter', data)


def test_several_threads(hall):
    client = connect("hall")
    client.call("threads")
    data = hall.run("dump", "hall")[1]
    for number in range(3):
        assert f"Thread 'worker-{number}', daemon:\n" in data
    client.execute("release")


def test_tasks_of_asyncio(hall, tmp_path):
    busy(tmp_path, "loop")
    data = hall.run("dump", "hall")[1]
    waits = data[data.index("asyncio task 'Task-2' of thread 'MainThread' waits:") :]
    assert waits.index("in outer") < waits.index("in inner") < waits.index("in sleep")


def test_a_deep_stack(hall, tmp_path):
    busy(tmp_path, "deep")
    data = hall.run("dump", "hall")[1]
    assert "outer frames are left out]" in data
    assert "in rest_in_peace" in data
    assert len(data) < 65536


def test_while_init_task_runs(commands, tmp_path):
    path, mark = tmp_path / "slow.py", tmp_path / "mark"
    path.write_text(
        f"import pathlib, time\n\ndef init_task():\n    pathlib.Path({str(mark)!r}).touch()\n"
        "    time.sleep(60)\n\ndef exec_task(client_socket, state, args):\n    pass\n"
    )
    commands.spawn("start", path)
    while not mark.exists():
        pass
    assert "in init_task\n    time.sleep(60)" in commands.run("dump", "slow")[1]
    commands.run("kill", "slow")


def test_a_server_that_takes_no_pickles(commands, tmp_path):
    path = tmp_path / "hall.py"
    path.write_text(TASKS)
    commands.run("start", path, "--no-pickle")
    assert "waits for calls" in commands.run("dump", "hall")[1]


def test_there_is_no_such_server(commands):
    code, data, words = commands.run("dump", f"{HOST}:1")
    assert (code, data) == (3, "")
    assert "127.0.0.1:1" in words


@pytest.mark.slow
def test_a_thousand_dumps_change_no_answer(hall):
    done = threading.Event()
    wrong = []

    def call():
        client = connect("hall")
        number = 0
        while not done.is_set():
            if client.call(number) != number:
                wrong.append(number)
            number += 1
        wrong.extend([] if number else ["no call was made"])

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    try:
        for _ in range(1000):
            code, data, words = hall.run("dump", "hall")
            assert (code, words, "Thread 'MainThread'" in data) == (0, "", True)
    finally:
        done.set()
        for caller in callers:
            caller.join()
    assert wrong == []
