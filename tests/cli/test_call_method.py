"""`bgpy call` with a method of a service."""

from __future__ import annotations

import json
import signal

import pytest

from .commands import LIMIT_S
from .serving import shop
from .working import hall, wait_until

__all__ = ["hall", "shop"]


def answer(commands, *words):
    """Return what a method has answered."""
    code, data, told = commands.run("call", "counter", *words)
    assert (code, told) == (0, "")
    return json.loads(data)


def refusal(commands, *words, target="counter"):
    """Return why a call was refused for its words."""
    code, data, told = commands.run("call", target, *words)
    assert (code, data) == (2, ""), told
    return told


def test_methods_and_properties(each_form, shop):
    assert answer(each_form, "increase") == 1
    assert answer(each_form, "increase", "10") == 11
    assert answer(each_form, "increase", "by=-1", "note=x") == 10
    assert answer(each_form, "increase", "-5") == 5
    assert answer(each_form, "peek") == 5
    assert answer(each_form, "value") == 5
    assert answer(each_form, "__len__") == 5


def test_values(commands, shop):
    words = ("1", "x=2", "[1, null]", '{"a": 0.5}', "text", "y=-1", "True", "None", '"1"')
    given = [[1, [1, None], {"a": 0.5}, "text", True, None, "1"], {"x": 2, "y": -1}]
    assert answer(commands, "echo", *words) == given
    assert answer(commands, "say", "1") == "1"
    assert answer(commands, "say", "text=a=b") == "a=b"
    assert answer(commands, "say", "other=b") == "other=b"
    assert answer(commands, "say", "--", "--no-wait") == "--no-wait"
    assert answer(commands, "kind", "1") == ["PosixPath", "1"]


def test_none_is_not_printed(commands, shop):
    assert commands.run("call", "counter", "reset") == (0, "", "")
    assert commands.run("call", "counter", "reset", "--repr") == (0, "", "")


def test_what_only_python_can_read(commands, shop):
    code, data, _ = commands.run("call", "counter", "point", "--repr")
    assert (code, data.startswith("<")) == (0, True)
    assert commands.run("call", "counter", "point", "--no-pickle")[0] == 1


LEDGER = """\
import sqlite3


class Ledger:
    def row(self):
        connection = sqlite3.connect(":memory:")
        connection.row_factory = sqlite3.Row
        return connection.execute("select 1 as one").fetchone()
"""


def test_what_cannot_be_sent(commands, tmp_path):
    path = tmp_path / "ledger.py"
    path.write_text(LEDGER)
    assert commands.run("start", f"{path}:Ledger")[0] == 0
    for more in ([], ["--repr"]):
        code, data, words = commands.run("call", "ledger", "row", *more)
        assert (code, data) == (1, "")
        assert "the result (a sqlite3.Row) cannot be pickled" in words
        assert "--repr cannot print it, either: have the server return plain data" in words


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["increase", "1", "2"],
            "it takes one argument by position at most: increase(by: int = 1, *, ",
        ),
        (["increase", "ten"], 'by must be of type int, not "ten": increase('),
        (["increase", "2", "by=1"], "by is given by position and by name: increase("),
        (["say", "txet=x"], "there is no parameter txet; did you mean text?: say("),
        (["say"], "missing text: say(text: str) -> str"),
        (["value", "1"], "a property takes no arguments: value: int"),
        (["incraese"], "Counter on counter has no method incraese; did you mean increase?"),
        (
            ["_hidden"],
            "Counter on counter has no method _hidden; `bgpy methods counter` lists them",
        ),
        (["increase", "--stream"], "--stream is for exec_task; "),
        (
            ["words", "a", "--no-wait"],
            "--no-wait is for methods that return a value, and words is a",
        ),
        (["increase", "--text", "1"], "--text is for exec_task, which takes a single argument"),
        (["1", "2"], '"1" is not the name of a method, and exec_task takes a single argument'),
    ],
)
def test_wrong_words_are_told_before_anything_is_sent(commands, shop, words, text):
    assert refusal(commands, *words).startswith(f"error: {text}")
    assert shop.object.peek() == 0


def test_exceptions(each_form, shop):
    code, data, words = each_form.run("call", "counter", "fail", "no film")
    assert (code, data) == (1, "")
    assert "raise LookupError(text)" in words
    assert words.endswith("error: counter: LookupError: no film\n")


def test_json_is_for_tasks(commands, shop):
    for word in ("1", "{}", "null"):
        code, data, words = commands.run("call", "counter", word)
        assert (code, data) == (1, "")
        assert "this server has a Counter, and no tasks" in words
        assert "`bgpy call TARGET METHOD`" in words


def test_a_server_of_tasks_as_before(each_form, camera):
    assert json.loads(each_form.run("call", "camera", '{"a": 1}')[1])["args"] == {"a": 1}
    assert json.loads(each_form.run("call", "camera", "true")[1])["args"] is True
    assert json.loads(each_form.run("call", "camera", "--text", "peek")[1])["args"] == "peek"
    assert """for text, use '"peek"' or --text""" in refusal(each_form, "peek", target="camera")
    told = refusal(each_form, "peek", "1", target="camera")
    assert told.startswith("error: camera runs tasks, and has no methods: pass the single argument")


def test_streams(each_form, shop):
    code, data, words = each_form.run("call", "counter", "words", "a 1 ü")
    assert (code, words) == (0, "")
    assert [json.loads(line) for line in data.splitlines()] == ["a", "1", "ü"]
    assert each_form.run("call", "counter", "words", "a b", "--repr")[1] == "'a'\n'b'\n"


def test_values_come_at_once_and_the_result_is_none_of_them(commands, shop):
    process = commands.spawn("call", "counter", "first", shop.pipe)
    assert process.stdout.readline() == "1\n"
    assert process.stdout.readline() == "null\n"
    shop.pipe.write_text("3")
    assert process.communicate(timeout=LIMIT_S) == ("3\n", 'first returned "the end"\n')
    assert process.returncode == 0


def test_a_reader_that_leaves_closes_the_generator(commands, shop):
    process = commands.spawn("call", "counter", "first", shop.pipe)
    assert process.stdout.readline() == "1\n"
    process.stdout.close()
    assert process.wait(LIMIT_S) == 0
    wait_until(lambda: shop.object.ends() == ["first"])


def test_ctrl_c_cancels(each_form, shop):
    process = each_form.spawn("call", "counter", "sleep", shop.mark)
    shop.wait_begun()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=LIMIT_S) == ("", "counter: the call was cancelled\n")
    assert process.returncode in (130, -signal.SIGINT)
    assert shop.object.ends() == ["cancelled"]


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("sleep", "error: counter accepted the call but did not answer within 1s: "),
        ("first", "error: first of counter did not end within 1s: it is cancelled\n"),
    ],
)
def test_a_time_limit_cancels(commands, shop, method, text):
    argument = shop.mark if method == "sleep" else shop.pipe
    code, _, words = commands.run("call", "counter", method, argument, "--timeout", "1")
    assert (code, words.startswith(text)) == (4, True), words
    assert shop.object.ends() == [{"sleep": "cancelled"}.get(method, "first")]


def test_without_waiting(commands, shop):
    assert commands.run("call", "counter", "increase", "by=5", "--no-wait") == (0, "", "")
    assert shop.object.peek() == 5


def test_progress(shop, screen):
    shown = screen("call", "counter", "train", shop.mark, f"pipe={shop.pipe}")
    shown.wait_for("training 30 of 100 (30%)")
    shop.pipe.write_text("trained")
    assert shown.end() == 0
    assert shown.text.split() == ['"trained"']


def test_what_runs_is_told(commands, shop):
    process = commands.spawn("call", "counter", "train", shop.mark, shop.pipe)
    shop.wait_begun()
    assert "\nmethod    train, for " in commands.run("status", "counter")[1]
    shop.pipe.write_text("done")
    assert process.wait(LIMIT_S) == 0


def test_a_server_that_is_not_there(commands):
    assert commands.run("call", "nobody", "increase")[0] == 3
    assert commands.run("call", "nobody", "increase", "1")[0] == 3
