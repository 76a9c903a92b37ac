"""`bgpy submit`, `jobs`, `result`, and `bgpy cancel` of jobs."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time

import pytest

import bgpy

from .commands import CONSOLE, LIMIT_S
from .test_completions import in_bash, needs_bash
from .working import hall, wait_until

__all__ = ["hall"]

TRAINER = """
import asyncio, os, time
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

    async def linger(self, path: str) -> None:
        while not os.path.exists(path):
            try:
                await asyncio.sleep(0.002)
            except asyncio.CancelledError:
                bgpy.progress(text="cleaning up")

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


def test_jobs_are_lost_with_a_server_that_fails(commands, tmp_path):
    path = tmp_path / "trainer.py"
    path.write_text(TRAINER)
    assert commands.run("start", f"{path}:Trainer", "--restart", "on-failure")[0] == 0
    lost = submitted(commands, "wait", tmp_path / "never")
    submitted(commands, "train", "--key", "order-17")
    (before,) = bgpy.servers()
    os.kill(before["pid"], signal.SIGKILL)
    # It waits for the server that takes its place.
    wait_until(lambda: commands.run("ping", "trainer")[0] == 0)
    code, data, words = commands.run("result", "trainer", lost)
    assert (code, data) == (1, "")
    assert f"the job {lost} is lost" in words
    for command in ("result", "jobs", "cancel"):
        code, data, words = commands.run(command, "trainer", "order-17")
        assert (code, data) == (1, "")
        assert "there is no job order-17" in words
        assert words.endswith("again once, and jobs of before are lost\n")
    assert commands.run("jobs", "trainer") == (0, "", "trainer knows no jobs.\n")


def test_what_fails_says_so_each_time(trainer):
    job = submitted(trainer, "fail", "text=no")
    for _ in range(2):
        code, data, words = trainer.run("result", "trainer", job)
        assert (code, data) == (1, "")
        assert "in fail\n" in words
        assert words.endswith("error: trainer: KeyError: 'no'\n")
    assert state(trainer, job) == "failed"
    assert "KeyError: 'no'" in trainer.run("jobs", "trainer")[1]


def test_a_wait_ends_alone(trainer, screen, tmp_path):
    job = submitted(trainer, "wait", tmp_path / "gate")
    code, _, words = trainer.run("result", "trainer", job, "--timeout", "0.1s")
    assert code == 4
    assert "it goes on" in words
    # Once it shows progress, the command waits.
    shown = screen("result", "trainer", job)
    shown.wait_for("waiting 1 of 2")
    shown.press(b"\x03")
    assert shown.end() in (130, -signal.SIGINT)
    assert shown.text.strip() == f"The job {job} goes on."
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


@pytest.mark.parametrize("method", ["linger", "wait"])
def test_a_cancel_waits_for_the_end_of_the_job(trainer, tmp_path, method):
    # Another call that runs is told first in the status.
    other = submitted(trainer, "linger", tmp_path / "other")
    wait_until(lambda: state(trainer, other) == "running")
    job = submitted(trainer, method, tmp_path / "gate")
    wait_until(lambda: state(trainer, job) == "running")
    if method == "linger":
        code, data, words = trainer.run("cancel", "trainer", job, "--timeout", "0.3")
        assert (code, data) == (1, "")
        assert words.startswith(f"error: job {job} of trainer still runs after 0.3s")
        assert state(trainer, job) == "running"
        (tmp_path / "gate").touch()
    else:
        code, _, words = trainer.run("cancel", "trainer", job)
        assert code == 0
        assert re.fullmatch(rf"Cancelled job {job} of trainer \(wait, after \d.*s\)\.\n", words)
        assert state(trainer, job) == "cancelled"
    assert state(trainer, other) == "running"
    (tmp_path / "other").touch()


def test_cancels_for_scripts(trainer, tmp_path):
    def cancel(job):
        code, data, _ = trainer.run("cancel", "trainer", job, "-o", "json")
        told = json.loads(data)
        return code, told["job"], told["result"]

    assert cancel("nobody") == (1, "nobody", "unknown")
    running, queued = (submitted(trainer, "wait", tmp_path / "never") for _ in range(2))
    wait_until(lambda: state(trainer, running) == "running")
    assert cancel(queued) == (0, queued, "removed")
    assert cancel(running) == (0, running, "cancelled")
    assert cancel(running) == (1, running, "unknown")


def test_all_is_told_to_scripts(trainer, tmp_path):
    failed = submitted(trainer, "fail", "no")
    done = submitted(trainer, "train")
    trainer.run("result", "trainer", done)
    running = submitted(trainer, "wait", tmp_path / "gate")
    queued = submitted(trainer, "train", "--key", "order-17", "--keep", "1h")
    wait_until(lambda: "1 of 2" in trainer.run("jobs", "trainer")[1])
    code, data, words = trainer.run("jobs", "trainer", "-o", "json")
    assert (code, words) == (0, "")
    jobs = json.loads(data)
    assert [job["job"] for job in jobs] == [queued, running, done, failed]
    assert [job["state"] for job in jobs] == ["queued", "running", "done", "failed"]
    assert [job["task"] for job in jobs] == ["train", "wait", "train", "fail"]
    numbers = [job["call"] for job in jobs]
    assert numbers == sorted(numbers, reverse=True)
    for about in jobs:
        assert set(about) == {
            *("job", "state", "task", "submitted", "began", "ended"),
            *("call", "progress", "error", "bytes"),
        }
    assert [job["began"] is None for job in jobs] == [True, False, False, False]
    assert [job["ended"] is None for job in jobs] == [True, True, False, False]
    assert jobs[1]["progress"]["text"] == "waiting"
    assert jobs[2]["bytes"] > 0
    assert "KeyError: 'no'" in jobs[3]["error"]
    (tmp_path / "gate").touch()


@pytest.mark.parametrize(
    "argument",
    [None, {"count": [], "fail": False}, {"count": [1], "fail": True}, {"raise_after": []}],
    ids=["none", "silent", "error", "raises"],
)
def test_a_result_is_printed_as_by_call(hall, argument):
    text = json.dumps(argument)
    code, name, _ = hall.commands.run("submit", "hall", text)
    assert code == 0
    called = hall.commands.run("call", "hall", text)
    assert hall.commands.run("result", "hall", name.strip()) == called


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


def test_the_hint_can_be_pasted(trainer):
    code, name, told = trainer.run("submit", "trainer", "train", "--key", "my order")
    assert (code, name) == (0, "my order\n")
    hint = told.split("`")[1]
    assert trainer.run(*shlex.split(hint)[1:])[:2] == (0, '"1 epochs, run 1"\n')


@needs_bash
def test_bash_completes_jobs(trainer, tmp_path):
    for key in ("order-17", "order-18", "other"):
        submitted(trainer, "train", "--key", key)
    every = {"order-17", "order-18", "other"}
    completed = in_bash(
        ["bgpy", "result", "trainer", "order"],
        ["bgpy", "jobs", "trainer", "ot"],
        ["bgpy", "cancel", "trainer", "order-18"],
        ["bgpy", "cancel", "trainer", "--job", ""],
        ["bgpy", "result", "--timeout", "1s", "trainer", "o"],
        ["bgpy", "result", "nobody", "o"],
        ["bgpy", "submit", "trainer", "tr"],
        ["bgpy", "submit", "trainer", "train", "ep"],
    )
    expected = every - {"other"}, {"other"}, {"order-18"}, every, every, set(), {"train"}
    assert [set(words) for words in completed] == [*expected, {"epochs="}], completed


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_also_get_what_jobs_do(trainer, shell):
    submitted(trainer, "train", "--key", "order-17")
    trainer.run("result", "trainer", "order-17")
    told = os.environ | {"BGPY_COMPLETE": shell, "_CLAP_COMPLETE_INDEX": "3"}
    for command in ("result", "jobs", "cancel"):
        line = [*CONSOLE, "--", "bgpy", command, "trainer", "ord"]
        done = subprocess.run(line, capture_output=True, text=True, env=told, timeout=LIMIT_S)
        assert done.stderr == ""
        assert "order-17" in done.stdout
        assert "train, done" in done.stdout


def test_a_server_that_hangs_completes_no_jobs_soon(trainer):
    submitted(trainer, "train", "--key", "order-17")
    told = os.environ | {"BGPY_COMPLETE": "fish"}
    pid = bgpy.servers()[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        line = [*CONSOLE, "--", "bgpy", "result", "trainer", "ord"]
        done = subprocess.run(line, capture_output=True, text=True, env=told, timeout=LIMIT_S)
        assert time.monotonic() - start < 5
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_everything_has_room_on_80_columns(trainer, screen, tmp_path):
    failed = submitted(trainer, "fail", "a very long text " * 10)
    running = submitted(trainer, "wait", tmp_path / "gate")
    queued = submitted(trainer, "train")
    wait_until(lambda: "1 of 2" in trainer.run("jobs", "trainer")[1])
    shown = screen("jobs", "trainer", size=(80, 24))
    assert shown.end() == 0
    title, *rows = [line for line in shown.text.splitlines() if line]
    assert title.split() == ["JOB", "STATE", "TASK", "SUBMITTED", "TOOK", "PROGRESS"]
    assert [row.split()[:3] for row in rows] == [
        [queued, "queued", "train"],
        [running, "running", "wait"],
        [failed, "failed", "fail"],
    ]
    assert all(" ago" in row for row in rows)
    assert "waiting" in rows[1]
    assert "KeyError" in rows[2]
    assert rows[2].endswith("\N{HORIZONTAL ELLIPSIS}")
    (tmp_path / "gate").touch()


@pytest.mark.parametrize("columns", [80, 40])
def test_what_a_person_sees(trainer, screen, columns):
    job = submitted(trainer, "train")
    trainer.run("result", "trainer", job)
    shown = screen("jobs", "trainer", size=(columns, 24))
    assert shown.end() == 0
    title, row = [line for line in shown.text.splitlines() if line]
    assert title.split()[:2] == ["JOB", "STATE"]
    assert row.split()[:2] == [job, "done"]
