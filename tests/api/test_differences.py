"""`exist_ok` says what the running server has otherwise than was asked for."""

from __future__ import annotations

import functools
import os
import sys
import time
import warnings
from pathlib import Path

import pytest

from bgpy import Server, start
from bgpy._fingerprint import fingerprint

FILE = """
from bgpy import respond

def init_task():
    return {}

def exec_task(client_socket, state, args):
    respond(client_socket, 1)
"""


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.py"
    path.write_text(FILE)
    return path


def told(tasks, **options) -> str:
    """Return what a start with other options is told about the server that runs."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start(tasks, "trainer", exist_ok=True, **options)
    assert all(it.category is RuntimeWarning and it.filename == __file__ for it in caught)
    return " ".join(str(it.message) for it in caught)


def test_the_same_again_is_no_difference(tasks, tmp_path):
    options = {
        "restart": "on-failure",
        "idle_timeout": 600,
        "env": {"A": "b"},
        "cwd": tmp_path,
        "token": "a token that is long enough for this",
        "log_file": tmp_path / "log",
        "max_message_bytes": 1 << 20,
    }
    first = start(tasks, "trainer", **options)
    # Another name of the same interpreter.
    other = next(Path(sys.executable).parent.glob("python3*"))
    for more in ({}, {"port": first.port}, {"python": other}):
        assert told(tasks, **options, **more) == ""
    assert told(str(tasks), **options) == ""
    first.stop(20)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"restart": "on-failure:5"}, "its restart policy is never, not on-failure"),
        ({"idle_timeout": 5}, "its idle timeout is none, not 5s"),
        ({"env": {"SECRET": "hidden"}}, "its variable SECRET was not set to this value"),
        ({"cwd": "/"}, "not '/'"),
        ({"log_level": "DEBUG"}, "its log level is INFO, not DEBUG"),
        ({"token": "another token that is long enough"}, "its token is another one"),
        ({"allow_pickle": False}, "its unpickling is on, not off"),
        ({"max_message_bytes": 77777}, "not 77777"),
        ({"host": "127.0.0.2"}, "its host is 127.0.0.1, not 127.0.0.2"),
        ({"port": 1}, "not 1"),
        ({"log_file": "other.log"}, "other.log"),
    ],
)
def test_another_option_is_named(tasks, options, words):
    server = start(tasks, "trainer")
    warning = told(tasks, **options)
    assert warning.startswith("the server 'trainer' keeps what it was started with: its ")
    assert words in warning
    assert "hidden" not in warning
    assert warning.count("; ") == 1, "one difference, and what to do"
    server.stop(20)


def test_a_file_that_has_changed_is_named(tasks):
    server = start(tasks, "trainer")
    os.utime(tasks, (time.time() + 5, time.time() + 5))
    assert f"'{tasks}' has changed since it started" in told(tasks)
    server.stop(20)


def test_other_tasks_are_named(tasks, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(FILE)
    server = start(tasks, "trainer")
    assert f"its tasks are from '{tasks}', not from '{other}'" in told(other)
    server.stop(20)
    server = Server(name="trainer")
    server.run_background()
    assert f"its tasks are from a client, not from '{tasks}'" in told(tasks)
    server.stop(20)


def test_another_interpreter_is_named(tasks, tmp_path):
    python = tmp_path / "python3"
    python.symlink_to("/usr/bin/env")
    server = start(tasks, "trainer")
    assert f"not '{python}'" in told(tasks, python=python)
    server.stop(20)


SCRIPT = """
import functools
import sys
import uuid
import bgpy
from bgpy import respond

LIMIT = 3
SETTINGS = {"rates": [0.1, 0.2], "on": {True}}
# Another one in each process: this is no difference.
RUN = uuid.uuid4()
LOOP = [SETTINGS]
LOOP.append(LOOP)

def helper(x, y=0):
    return x + 1

@functools.lru_cache
def cached(x):
    return x * 10

shifted = functools.partial(helper, 2)

class Maker:
    def __init__(self, by):
        self.by, self.run = by, uuid.uuid4()

    def state(self):
        return {"by": self.by}

class Kept:
    size = 1

    def get(self):
        return [each for each in range(self.size)]

def made(n):
    def exec_task(client_socket, state, args):
        # A comment.
        answer = (n, helper(LIMIT), Kept().get(), {"a", "b", "c"}, LOOP, RUN)
        respond(client_socket, (answer, SETTINGS["rates"], cached(1), shifted()))
    return exec_task

if __name__ == "__main__":
    sys.stderr = sys.stdout
    bgpy.start((Maker(7).state, made(1)), "trainer", exist_ok=True)
"""


def test_the_same_functions_are_no_difference(scripts):
    for _ in range(3):
        assert scripts.run(SCRIPT) == ""
    # Lines that move and comments change nothing.
    assert scripts.run("\n\n" + SCRIPT.replace("A comment", "Another")) == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("helper(LIMIT),", ""),
        ("x + 1", "x + 2"),
        ("LIMIT = 3", "LIMIT = 4"),
        ("size = 1", "size = 2"),
        ("range(self.size)", "range(self.size + 1)"),
        ("made(1)", "made(2)"),
        ("(n,", "(-n,"),
        ("(Maker(7).state,", "(bgpy.errors.__dict__.copy,"),
        ("Maker(7)", "Maker(8)"),
        ("0.2]", "0.3]"),
        ("x * 10", "x * 20"),
        ("partial(helper, 2)", "partial(helper, 3)"),
        ('"c"', '"d"'),
        ("args):", "args=None):"),
    ],
)
def test_other_functions_are_a_difference(scripts, before, after):
    assert scripts.run(SCRIPT) == ""
    words = scripts.run(SCRIPT.replace(before, after))
    assert "its tasks are other functions, or older versions of them" in words
    assert "replace=True" in words


def test_functions_in_the_place_of_a_file_are_a_difference(tasks):
    start(tasks, "trainer")
    with pytest.warns(RuntimeWarning, match=r"its tasks are from '.*tasks.py', not from functions"):
        start((dict, print), "trainer", exist_ok=True)


def test_tasks_of_any_kind_have_a_fingerprint():
    """Whatever functions carry along: it is no reason for a start to fail."""
    nested: list[object] = []
    for _ in range(5_000):
        nested = [nested]

    class Odd(dict[str, object]):
        def items(self):
            raise AssertionError("code of the user was run")

        def __repr__(self):
            raise AssertionError("code of the user was run")

    odd = Odd()

    def itself(n, big=10**5000, text="\ud800", nested=nested, odd=odd, kinds=frozenset({Odd})):
        return itself(n - 1)

    class Task:
        def __call__(self, *args):
            return itself

    tasks = [itself, functools.partial(itself, 1), Task(), Task().__call__, functools.cache(itself)]
    for task in (*tasks, print, dict, len, [*range(10**6)].append):
        assert fingerprint((task, task)) == fingerprint((task, task))
    assert len({fingerprint((task,)) for task in tasks}) == len(tasks)
