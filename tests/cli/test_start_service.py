"""`bgpy start` and the like with a class: its origin, its arguments, and what is told of it."""

from __future__ import annotations

import json
import signal

import pytest

import bgpy

from .commands import HOST, LIMIT_S

FILE = '''
from __future__ import annotations

from pathlib import Path


class Counter:
    """Counts."""

    def __init__(self, start: int = 0, place: Path | None = None, name: str = "") -> None:
        self.start, self.place, self.name = start, place, name

    def about(self) -> list:
        return [self.start, str(self.place), self.name]


def make(**options) -> Counter:
    return Counter(7, name=repr(options))


class Picky:
    def __init__(self):
        raise OSError("no film in the camera")
'''


@pytest.fixture
def file(tmp_path):
    """Return a file with classes."""
    path = tmp_path / "counter.py"
    path.write_text(FILE)
    return path


def about(target="counter"):
    """Return the arguments that an object was made with."""
    return bgpy.connect(target).service().about()


def test_a_class_of_a_file(each_form, file):
    code, data, words = each_form.run("start", f"{file}:Counter")
    assert (code, data) == (0, "counter\n"), words
    assert about() == [0, "None", ""]


def test_a_class_of_a_module(commands, file):
    started = commands.run("start", "counter:Counter", "--cwd", file.parent)
    assert started[:2] == (0, "counter\n"), started
    assert about() == [0, "None", ""]


def test_arguments_are_read_by_annotation(commands, file):
    given = ("--with", "start=5", "--with", "name=6", "--with", "place=a=b")
    assert commands.run("start", f"{file}:Counter", *given)[0] == 0
    assert about() == [5, "a=b", "6"]
    made = commands.run(
        "start", f"{file}:make", "--name", "made", "--with", "a=[1]", "--with", "b=None"
    )
    assert made[0] == 0, made
    assert about("made") == [7, "None", "{'a': [1], 'b': None}"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("counter.py", "--with", "start=5"),
            "--with passes arguments to a class, and none is named",
        ),
        (("counter.py:Counter", "--with", "start"), "use NAME=VALUE"),
        (
            ("counter.py:Counter", "--with", "start=1", "--with", "start=2"),
            "--with start=... is given twice",
        ),
        (("other.py:Counter",), "no such file: 'other.py'\n"),
        (("conuter.py",), "no such file: 'conuter.py'; did you mean 'counter.py'?"),
    ],
)
@pytest.mark.parametrize("command", ["start", "run"])
def test_wrong_arguments_of_the_command(commands, file, command, words, text):
    code, _, told = commands.run(command, *words, cwd=file.parent)
    assert (code, text in told) == (2, True), told


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (("counter.py:Missing",), ["Missing in '", "defines no Missing"]),
        (("counter.py:Path.home.x",), ["defines no Path.home.x"]),
        (("counter.py:Picky",), ["Picky in '", "could not be started", "no film in the camera"]),
        (
            ("counter.py:Counter", "--with", "begin=5"),
            ["Counter has no parameter 'begin'; it has: start, place, name"],
        ),
        (
            ("counter.py:Counter", "--with", "start=abc"),
            ["Counter in '", "start must be of type int, not 'abc'"],
        ),
        (("counter.py:Countr",), ["defines no Countr; its classes are Counter, Picky"]),
    ],
)
def test_what_makes_no_object(commands, file, words, texts):
    code, _, told = commands.run("start", *words, cwd=file.parent)
    assert code == 1
    assert [text for text in texts if text not in told] == [], told
    assert "the tasks" not in told


def test_a_class_that_is_not_named(commands, file):
    code, _, told = commands.run("start", "counter.py", cwd=file.parent)
    text = "defines no init_task; to serve one of its classes, add the name, as in ':Counter'"
    assert (code, text in told) == (1, True), told


@pytest.mark.parametrize(
    ("given", "made"),
    [("1", 1), (".5", 0.5), ("inf", float("inf")), ("1e3", 1000.0)],
)
def test_numbers(commands, tmp_path, given, made):
    (tmp_path / "rate.py").write_text(
        "class Rate:\n"
        "    def __init__(self, rate: 'float'): self.rate = rate\n"
        "    def about(self): return self.rate\n"
    )
    place = f"{tmp_path / 'rate.py'}:Rate"
    assert commands.run("start", place, "--with", f"rate={given}")[0] == 0
    assert about("rate") == made


def test_in_the_foreground(commands, file):
    process = commands.spawn("run", f"{file}:Counter", "--with", "start=3")
    assert commands.run("wait", "counter", "--for", "ready", "--timeout", "30s")[0] == 0
    assert about() == [3, "None", ""]
    process.send_signal(signal.SIGINT)
    assert "taking Counter from" in process.communicate(timeout=LIMIT_S)[1]
    assert process.returncode == 0


def test_bgpy_server(commands, file):
    serving = commands.serve("-i", f"{file}:Counter", "--with", "start=4")
    assert about(f"{HOST}:{serving.port}") == [4, "None", ""]


def test_a_restart_makes_the_same_object(commands, file):
    assert commands.run("start", f"{file}:Counter", "--with", "start=5")[0] == 0
    code, _, words = commands.run("restart", "counter")
    assert code == 0, words
    assert about() == [5, "None", ""]


def test_a_restart_that_would_find_no_class_is_refused(commands, file):
    assert commands.run("start", f"{file}:Counter", "--with", "start=5")[0] == 0
    file.write_text(FILE.replace("Counter", "Abacus"))
    code, _, words = commands.run("restart", "counter")
    assert code == 1
    assert "cannot load Counter: " in words
    assert "counter.py does not define Counter" in words
    assert about() == [5, "None", ""]


def test_a_class_needs_no_tasks(commands, file):
    # A method of an object may have any parameters, whatever its name is.
    file.write_text(f"{FILE}\n\ndef exec_task():\n    pass\n")
    assert commands.run("start", f"{file}:Counter")[0] == 0
    assert commands.run("restart", "counter")[0] == 0


def test_what_differs_from_the_server_that_runs(commands, file):
    assert commands.run("start", f"{file}:Counter", "--with", "start=5", "--with", "name=a")[0] == 0

    def told(*words):
        code, _, told = commands.run("start", *words, "--exist-ok", "--name", "counter")
        assert code == 0
        return told

    class_ = f"{file}:Counter"
    assert "warning" not in told(class_, "--with", "name=a", "--with", "start=5")
    other = told(class_, "--with", "start=6", "--with", "place=b")
    for part in ("start has another value", "place has another value", "it has the argument name"):
        assert f"argument {part}" in other or part in other, other
    assert f"it serves Counter of '{file}', not make of '{file}'" in told(f"{file}:make")
    assert f"it serves Counter of '{file}', not '{file}'" in told(file)


def test_a_unit_has_the_class_and_its_arguments(commands, file):
    assert commands.run("start", f"{file}:Counter", "--with", "start=5")[0] == 0
    code, unit, words = commands.run("systemd", "counter")
    assert code == 0, words
    assert f" run {file}:Counter --with start=5 --name counter " in unit


def test_the_class_is_told(commands, file):
    assert commands.run("start", f"{file}:Counter")[0] == 0
    assert json.loads(commands.run("ps", "-o", "json")[1])[0]["class"] == "Counter"
    assert f"serves    Counter of '{file}'\n" in commands.run("status", "counter")[1]
