"""`bgpy submit`, `jobs`, `result`, and `bgpy cancel` of jobs."""

from __future__ import annotations

import json
import signal
import time

import pytest

TRAINER = """
import os, time
import bgpy


class Trainer:
    def __init__(self):
        self.runs = 0

    def train(self, epochs: int = 1) -> str:
        self.runs += 1
        return f"{epochs} epochs, run {self.runs}"

    def wait(self, path: str) -> None:
        bgpy.progress(1, 2, "waiting")
        while not os.path.exists(path):
            time.sleep(0.002)

    def fail(self, text: str):
        raise KeyError(text)

    def odd(self):
        return object

    def words(self):
        yield "a"
"""


@pytest.fixture
def trainer(commands, tmp_path):
    (tmp_path / "trainer.py").write_text(TRAINER)
    assert commands.run("start", tmp_path / "trainer.py:Trainer")[0] == 0
    return commands


def submitted(commands, *words):
    code, name, told = commands.run("submit", "trainer", *words)
    assert code == 0
    assert told == (f"Submitted to trainer; `bgpy result trainer {name.strip()}` waits for it.\n")
    return name.strip()


def state(commands, job):
    code, data, _ = commands.run("jobs", "trainer", job, "-o", "json")
    assert code == 0
    (about,) = json.loads(data)
    return about["state"]


def test_a_job_is_submitted_listed_and_read_twice(trainer, each_form):
    job = submitted(trainer, "train", "epochs=3")
    for _ in range(2):
        assert each_form.run("result", "trainer", job) == (0, '"3 epochs, run 1"\n', "")
    code, data, words = each_form.run("jobs", "trainer")
    assert (code, words) == (0, "")
    title, row = data.splitlines()
    assert title.split() == ["JOB", "STATE", "TASK", "SUBMITTED", "TOOK", "PROGRESS"]
    assert row.split()[:3] == [job, "done", "train"]


def test_a_key_is_one_job(trainer):
    jobs = [submitted(trainer, "train", "3", "--key", "order-17") for _ in range(2)]
    assert jobs == ["order-17"] * 2
    assert trainer.run("result", "trainer", "order-17")[1] == '"3 epochs, run 1"\n'
    code, data, words = trainer.run("submit", "trainer", "train", "4", "--key", "order-17")
    assert (code, data) == (1, "")
    assert "the job order-17 was submitted before" in words
    for key in ("", "k" * 300):
        assert trainer.run("submit", "trainer", "train", "--key", key)[0] == 2


def test_wrong_words_are_told_before_anything_is_sent(trainer):
    for words, told in [
        (["trian"], "did you mean train?"),
        (["train", "x"], "epochs must be of type int"),
        (["words"], "a job has a single result"),
        (["{}", "{}"], "is not the name of a method"),
    ]:
        code, data, said = trainer.run("submit", "trainer", *words)
        assert (code, data) == (2, "")
        assert told in said
    code, data, words = trainer.run("jobs", "trainer")
    assert (code, data, words) == (0, "", "trainer knows no jobs.\n")


def test_an_unknown_job(trainer):
    for words in (["result", "trainer", "nobody"], ["jobs", "trainer", "nobody"]):
        code, data, said = trainer.run(*words)
        assert (code, data) == (1, "")
        assert "there is no job nobody" in said
    assert trainer.run("cancel", "trainer", "nobody")[0] == 1
    assert trainer.run("result", "nobody", "job")[0] == 3


def test_what_fails_says_so_each_time(trainer):
    job = submitted(trainer, "fail", "text=no")
    for _ in range(2):
        code, data, words = trainer.run("result", "trainer", job)
        assert (code, data) == (1, "")
        assert "in fail\n" in words
        assert words.endswith("error: trainer: KeyError: 'no'\n")
    assert state(trainer, job) == "failed"
    assert "KeyError: 'no'" in trainer.run("jobs", "trainer")[1]


def test_a_wait_ends_alone(trainer, tmp_path):
    job = submitted(trainer, "wait", tmp_path / "gate")
    code, _, words = trainer.run("result", "trainer", job, "--timeout", "0.1s")
    assert code == 4
    assert "it goes on" in words
    process = trainer.spawn("result", "trainer", job)
    # Once the server has told progress, the command waits.
    while "1 of 2" not in trainer.run("jobs", "trainer")[1]:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate()
    assert process.returncode in (130, -signal.SIGINT)
    assert state(trainer, job) == "running"
    (tmp_path / "gate").touch()
    assert trainer.run("result", "trainer", job) == (0, "", "")


def test_jobs_are_cancelled(trainer, tmp_path):
    running = submitted(trainer, "wait", tmp_path / "never")
    queued = submitted(trainer, "train", "--key", "17")
    while state(trainer, running) != "running":
        time.sleep(0.01)
    code, _, words = trainer.run("cancel", "trainer", "--job", "17")
    assert (code, words) == (
        0,
        "Cancelled job 17 of trainer: it was waiting, and will not run.\n",
    )
    code, _, words = trainer.run("cancel", "trainer", running)
    assert code == 0
    assert words.startswith(f"Cancelled job {running} of trainer (wait, after ")
    for job in (running, queued):
        assert state(trainer, job) == "cancelled"
        assert trainer.run("result", "trainer", job)[0] == 1
    code, _, words = trainer.run("cancel", "trainer", running)
    assert (code, words) == (1, f"error: job {running} of trainer is over\n")


def test_a_result_for_python_only(trainer):
    job = submitted(trainer, "odd")
    assert trainer.run("result", "trainer", job)[0] == 1
    assert trainer.run("result", "trainer", job, "--repr")[:2] == (0, "<class 'object'>\n")
    code, _, words = trainer.run("result", "trainer", job, "--no-pickle")
    assert code == 1
    assert "--no-pickle" in words or "does not accept" in words


def test_jobs_of_tasks(camera):
    code, name, _ = camera.run("submit", "camera", '"some light"')
    assert code == 0
    assert camera.run("result", "camera", name.strip())[0] == 0
    assert camera.run("jobs", "camera")[1].splitlines()[1].split()[:3] == [
        name.strip(),
        "done",
        "exec_task",
    ]


@pytest.mark.parametrize("columns", [80, 40])
def test_what_a_person_sees(trainer, screen, columns):
    job = submitted(trainer, "train")
    trainer.run("result", "trainer", job)
    shown = screen("jobs", "trainer", size=(columns, 24))
    assert shown.end() == 0
    title, row = [line for line in shown.text.splitlines() if line]
    assert title.split()[:2] == ["JOB", "STATE"]
    assert row.split()[:2] == [job, "done"]
