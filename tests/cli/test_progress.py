"""Progress that tasks tell: in `bgpy status`, `ps` and `top`, and while a `bgpy call` waits."""

from __future__ import annotations

import json

import pytest

from .working import hall

__all__ = ["hall"]

WORDS = "training 30 of 100 (30%)"
BAR = "\u2588\u2588\u2588"


@pytest.fixture
def training(hall):
    hall.client.execute(hall.training(30, 100, "training"))
    hall.wait_told()
    return hall


def test_status(training):
    code, data, _ = training.commands.run("status", "hall")
    lines = dict(line.split(maxsplit=1) for line in data.splitlines())
    assert (code, lines["progress"]) == (0, WORDS)
    assert lines["task"].startswith("exec_task, for ")
    assert lines["task"].endswith("s (call 1)")
    _, data, _ = training.commands.run("status", "hall", "-o", "json")
    status = json.loads(data)["status"]
    assert (status["call"], status["progress"]) == (
        1,
        {"done": 30, "total": 100, "text": "training"},
    )


def test_a_server_that_tells_nothing(hall):
    hall.client.execute(hall.training(None, None, " "))
    hall.wait_told()
    assert "progress" not in hall.commands.run("status", "hall")[1]
    assert "PROGRESS" not in hall.commands.run("ps")[1]


def test_ps(training):
    _, data, _ = training.commands.run("ps")
    head, line = data.splitlines()
    assert head.endswith("RSS  PROGRESS")
    assert line.endswith("  " + WORDS)


def test_what_others_write_stays_on_its_line(hall):
    hall.client.execute(hall.training(1, 2, "a\nb\x1b[31m"))
    hall.wait_told()
    _, data, _ = hall.commands.run("ps")
    assert data.splitlines()[1].endswith("a\\nb\\x1b[31m 1 of 2 (50%)")
    assert "\nprogress  a\\nb\\x1b[31m 1 of 2 (50%)\n" in hall.commands.run("status", "hall")[1]


@pytest.mark.parametrize(
    ("columns", "end"),
    [(160, f" {WORDS}"), (80, "  training 30%"), (40, "  training 30%")],
)
def test_what_a_person_sees_in_ps(training, screen, columns, end):
    shown = screen("ps", size=(columns, 10))
    assert shown.end() == 0
    head, line = [line for line in shown.text.splitlines() if line]
    assert "PROGRESS" in head
    assert line.startswith("hall ")
    assert line.endswith(end)
    assert (BAR in line) == (columns == 160)


@pytest.mark.parametrize("columns", [160, 80, 40])
def test_what_a_person_sees_in_status(training, screen, columns):
    shown = screen("status", "hall", size=(columns, 30))
    assert shown.end() == 0
    line = shown.line_with("training")
    assert line.startswith("progress  ")
    assert line.endswith(WORDS)
    assert (BAR in line) == (columns >= 80)


@pytest.mark.parametrize("columns", [160, 80, 40])
def test_what_a_person_sees_in_top(training, screen, columns):
    shown = screen("top", "--interval", 0.1, size=(columns, 12))
    text = shown.wait(lambda text: "PROGRESS" in text and "training" in text)
    line = text.splitlines()[1]
    # How much room is left on 80 columns changes with the numbers.
    ends = {160: [WORDS], 80: [WORDS, "training 30%"], 40: ["training 30%"]}
    assert line.endswith(tuple(f" {end}" for end in ends[columns]))
    assert (BAR in line) == (columns == 160)
    shown.press(b"q")
    assert shown.end() == 0


@pytest.mark.parametrize("columns", [160, 80, 40])
def test_a_call_shows_it_while_it_waits(hall, screen, columns):
    shown = screen(*hall.call(hall.training(30, 100, "training")), size=(columns, 5))
    line = shown.wait_for("30%").splitlines()[0]
    assert line.startswith(BAR)
    assert line.endswith(WORDS)
    assert len(line) < columns
    hall.pipe.write_text("trained")
    assert shown.end() == 0
    assert shown.text.split() == ['"trained"']
    assert shown.screen.display[0].rstrip() == '"trained"'


def test_a_call_whose_task_tells_nothing_draws_nothing(hall, screen):
    shown = screen(*hall.call(5))
    assert shown.end() == 0
    assert shown.written == b"\x1b[33m5\x1b[0m\r\n"


def test_a_call_draws_nothing_into_a_pipe(hall):
    caller = hall.commands.spawn(*hall.call(hall.training(30, 100, "training")))
    hall.wait_told()
    hall.pipe.write_text("trained")
    assert caller.communicate(timeout=30) == ('"trained"\n', "")
