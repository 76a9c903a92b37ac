"""Jobs: calls that live on without their caller."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading

import pytest

import bgpy
from services.trainer import Trainer, until_running


def test_a_result_is_read_again_and_again(trainer):
    job = bgpy.submit(trainer.train, 3)
    assert job.result() == "3 epochs, run 1"
    assert job.result() == "3 epochs, run 1"
    assert (job.state, job.done(), job.exception()) == ("done", True, None)
    again = bgpy.job(job.id, trainer)
    assert again.result(timeout=20) == "3 epochs, run 1"
    assert trainer.count() == 1


def test_a_job_outlives_its_caller(trainer, tmp_path):
    gate = tmp_path / "gate"
    target = bgpy.client(trainer)._target
    script = f"""
import bgpy
client = bgpy.connect({target!r})
trainer = client.service()
print(bgpy.submit(trainer.wait, {str(gate)!r}).id)
"""
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    job = bgpy.job(told.stdout.strip(), trainer)
    until_running(job)
    assert job.progress.text == "waiting"
    gate.touch()
    assert job.result() == str(gate)


def test_what_fails_raises_itself_each_time(trainer):
    job = bgpy.submit(trainer.fail, "no")
    for _ in range(2):
        with pytest.raises(KeyError, match="no") as raised:
            job.result()
        assert isinstance(raised.value.__cause__, bgpy.RemoteError)
    assert job.state == "failed"
    assert "KeyError" in job.info().error
    assert isinstance(job.exception(), KeyError)


def test_a_key_is_one_job(trainer):
    train = bgpy.options(trainer.train, key="order-17")
    jobs = [bgpy.submit(train, 3) for _ in range(3)]
    assert {job.id for job in jobs} == {"order-17"}
    assert jobs[2].result() == "3 epochs, run 1"
    assert bgpy.submit(train, 3).result() == "3 epochs, run 1"
    assert trainer.count() == 1
    for other, arguments in [(train, (4,)), (bgpy.options(trainer.wait, key="order-17"), ("3",))]:
        with pytest.raises(bgpy.JobTaken, match=r"order-17 was submitted before"):
            bgpy.submit(other, *arguments)


def test_a_key_is_one_job_in_each_run_of_a_script(trainer):
    script = f"""
import bgpy

class Own:
    pass

trainer = bgpy.connect({bgpy.client(trainer)._target!r}).service()
for key, value in [("set", {{"a", "b", "c", "d"}}), ("own", Own()), ("dict", {{"x": 1, "y": 2}})]:
    bgpy.submit(bgpy.options(trainer.train, key=key), value)
"""
    for seed in "123":
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    equal = bgpy.options(trainer.train, key="dict")
    assert bgpy.submit(equal, {"y": 2, "x": 1}).id == "dict"
    assert len(bgpy.jobs(trainer)) == 3


def test_options_of_jobs_are_of_jobs(trainer):
    keyed = bgpy.options(trainer.train, key="a")
    with pytest.raises(TypeError, match=r"bgpy\.submit"):
        keyed(1)
    with pytest.raises(TypeError, match=r"bgpy\.submit"):
        bgpy.begin(bgpy.options(trainer.train, keep=3), 1)
    with pytest.raises(TypeError, match="on_progress"):
        bgpy.submit(bgpy.options(trainer.train, on_progress=print))
    with pytest.raises(TypeError, match="yields values"):
        bgpy.submit(trainer.words)
    with pytest.raises(TypeError, match="epoch"):
        bgpy.submit(trainer.train, epoch=3)
    with pytest.raises(TypeError, match="cannot call functions"):
        bgpy.submit(trainer.call_back, bgpy.callback(print))
    with pytest.raises(bgpy.ConfigError, match="key is empty"):
        bgpy.submit(bgpy.options(trainer.train, key=""))
    with pytest.raises(bgpy.ConfigError, match="key has 300 bytes"):
        bgpy.submit(bgpy.options(trainer.train, key="k" * 300))
    with pytest.raises(bgpy.ConfigError, match="keep"):
        bgpy.submit(bgpy.options(trainer.train, keep=-1))
    with pytest.raises(bgpy.ConfigError, match="keep=1e300 is"):
        bgpy.submit(bgpy.options(trainer.train, keep=1e300))
    with pytest.raises(bgpy.ConfigError, match="key contains"):
        bgpy.options(trainer.train, key="\ud800")
    for option in ("key", "keep", "timeout", "window"):
        with pytest.raises(TypeError, match=f"{option} must be a"):
            bgpy.options(trainer.train, **{option: b"3"})
    assert bgpy.jobs(trainer) == []


def test_an_unknown_job_is_an_error_at_once(trainer):
    for ask in (
        lambda: bgpy.job("nobody", trainer),
        lambda: bgpy.Job(bgpy.client(trainer), "nobody", "train").result(),
        lambda: bgpy.Job(bgpy.client(trainer), "nobody", "train").cancel(),
    ):
        with pytest.raises(bgpy.JobNotFound, match="there is no job nobody"):
            ask()


def test_what_can_be_no_name_of_a_job(trainer):
    for name in ("", "k" * 257, "k" * 10_000):
        for ask in (
            lambda name=name: bgpy.job(name, trainer),
            lambda name=name: bgpy.Job(bgpy.client(trainer), name, "train").result(),
            lambda name=name: bgpy.Job(bgpy.client(trainer), name, "train").cancel(),
        ):
            with pytest.raises(bgpy.JobNotFound, match=f"no job whose name has {len(name)} bytes"):
                ask()
    for name in (1, b"order-17", None):
        with pytest.raises(TypeError, match="job_id must be a str, not "):
            bgpy.job(name, trainer)
    with pytest.raises(bgpy.ConfigError, match="no valid Unicode"):
        bgpy.job("\ud800", trainer)


def test_a_wait_ends_alone(trainer, tmp_path):
    gate = tmp_path / "gate"
    job = bgpy.submit(trainer.wait, str(gate))
    with pytest.raises(bgpy.CallTimeout, match="it goes on"):
        job.result(timeout=0.05)
    with pytest.raises(bgpy.CallTimeout):
        job.exception(timeout=0.05)
    assert job.state == "running"
    results: list[object] = []
    waiting = [threading.Thread(target=lambda: results.append(job.result())) for _ in range(5)]
    for thread in waiting:
        thread.start()
    gate.touch()
    for thread in waiting:
        thread.join()
    assert results == [str(gate)] * 5


def test_progress_is_told_to_all_who_wait(trainer, tmp_path):
    first = bgpy.submit(trainer.wait, str(tmp_path / "first"))
    job = bgpy.submit(trainer.wait, str(tmp_path / "gate"))
    told: list[bgpy.Progress] = []

    def report(progress: bgpy.Progress) -> None:
        told.append(progress)
        (tmp_path / "gate").touch()

    waiting = threading.Thread(target=job.result, kwargs={"on_progress": report})
    waiting.start()
    until_running(first)
    (tmp_path / "first").touch()
    waiting.join()
    assert [(it.done, it.total, it.text) for it in told] == [(1.0, 2.0, "waiting")]


def test_cancel(trainer, tmp_path):
    running = bgpy.submit(trainer.wait, str(tmp_path / "never"))
    queued = bgpy.submit(trainer.train)
    until_running(running)
    assert queued.state == "queued"
    assert queued.cancel() == "cancelled"
    assert running.cancel() == "cancelled"
    assert trainer.count() == 0
    for job in (running, queued):
        assert job.state == "cancelled"
        assert job.cancel() == "finished" or job.state == "cancelled"
        with pytest.raises(bgpy.CallCancelled):
            job.result()


def test_a_list_of_jobs(trainer, tmp_path):
    gate = tmp_path / "gate"
    failed = bgpy.submit(trainer.fail, "no")
    failed.exception()
    running = bgpy.submit(trainer.wait, str(gate))
    queued = bgpy.submit(trainer.train, 2)
    until_running(running)
    told = bgpy.jobs(trainer)
    assert [(info.id, info.task, info.state) for info in told] == [
        (queued.id, "train", "queued"),
        (running.id, "wait", "running"),
        (failed.id, "fail", "failed"),
    ]
    assert told[0].began is None
    assert told[1].began >= told[1].submitted
    assert told[1].progress.fraction == 0.5
    assert told[2].ended >= told[2].submitted
    assert repr(told).splitlines()[0].split() == ["JOB", "STATE", "TASK", "SUBMITTED"]
    gate.touch()
    queued.result()
    assert [info.state for info in bgpy.jobs(trainer)] == ["done", "done", "failed"]


def test_a_result_is_kept_for_its_time(trainer):
    job = bgpy.submit(bgpy.options(trainer.train, keep=0))
    with pytest.raises(bgpy.JobNotFound):
        until_running(job, "forgotten")
    kept = bgpy.submit(bgpy.options(trainer.train, keep=1e9))
    assert kept.result() == "1 epochs, run 2"


def test_a_large_result_is_one_of_its_own(trainer):
    job = bgpy.submit(trainer.large, 3_000_000)
    first, second = job.result(), job.result()
    assert first == second == bytearray(3_000_000)
    first[0] = 1
    assert job.result()[0] == 0
    assert job.info().size > 3_000_000


def test_a_job_is_pickled(trainer):
    job = pickle.loads(pickle.dumps(bgpy.submit(trainer.train, 5)))
    assert job.result() == "5 epochs, run 1"


def test_a_client_that_takes_no_pickles_gets_plain_data(trainer):
    def plain():
        return bgpy.Client(bgpy.client(trainer)._target, allow_pickle=False)

    assert bgpy.job(bgpy.submit(trainer.train, 5).id, plain()).result() == "5 epochs, run 1"
    job = bgpy.submit(trainer.fail, "no")
    with pytest.raises(bgpy.RemoteError, match="no"):
        bgpy.job(job.id, plain()).result()


def test_a_job_of_a_server_that_has_failed_is_lost(served):
    trainer = served(Trainer, restart="on-failure")
    done = bgpy.submit(trainer.train)
    keyed = bgpy.submit(bgpy.options(trainer.train, key="mine"))
    keyed.result()
    with pytest.raises(bgpy.BgpyError):
        trainer.die()
    with pytest.raises(bgpy.JobLost, match="is lost"):
        done.result()
    assert done.state == "lost"
    with pytest.raises(bgpy.JobNotFound, match="jobs of before are lost"):
        bgpy.job("mine", trainer)
    # Whoever waits while it fails is told as well.
    dying = bgpy.submit(trainer.die)
    with pytest.raises(bgpy.JobLost):
        dying.result()
    assert bgpy.submit(bgpy.options(trainer.train, key="mine")).result() == "1 epochs, run 1"


def test_who_does_not_know_whether_a_job_was_submitted_learns_its_name(trainer):
    pid = bgpy.client(trainer).status()["pid"]

    def late(method, *arguments):
        trainer.count()
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(bgpy.CallTimeout) as raised:
                bgpy.submit(bgpy.options(method, timeout=0.2), *arguments)
        finally:
            os.kill(pid, signal.SIGCONT)
        return str(raised.value)

    before, _, name = late(trainer.train, 3).rpartition(" ")
    assert before.endswith("; if it was submitted, it is the job")
    assert bgpy.job(name, trainer).result(20) == "3 epochs, run 1"
    keyed = bgpy.options(trainer.train, key="order-17")
    told = late(keyed, 4)
    assert told.endswith("; submitted again with the key order-17, it is the same job")
    assert bgpy.submit(keyed, 4).result(20) == "4 epochs, run 2"
    os.kill(pid, signal.SIGSTOP)
    outcomes: list[BaseException] = []

    def submit():
        try:
            bgpy.submit(trainer.train, 5)
        except bgpy.ConnectionLost as error:
            outcomes.append(error)

    submitting = threading.Thread(target=submit)
    submitting.start()
    submitting.join(0.1)
    os.kill(pid, signal.SIGKILL)
    submitting.join(20)
    assert "if it was submitted, it is the job " in str(outcomes[0])


def test_a_job_of_a_server_that_ends_without_it(served, tmp_path):
    server = bgpy.start(Trainer, name="ending")
    trainer = bgpy.connect(server).service(Trainer)
    job = bgpy.submit(trainer.wait, str(tmp_path / "never"))
    until_running(job)
    outcomes: list[BaseException | None] = []
    waiting = threading.Thread(target=lambda: outcomes.append(job.exception()))
    waiting.start()
    os.kill(bgpy.client(trainer).status()["pid"], signal.SIGKILL)
    waiting.join()
    assert isinstance(outcomes[0], bgpy.BgpyError)


def test_jobs_of_tasks(runtime, tmp_path):
    tasks = tmp_path / "adder.py"
    tasks.write_text(
        "def init_task():\n    return {'n': 0}\n\n"
        "def exec_task(client_socket, state, args):\n"
        "    from bgpy import respond\n"
        "    state['n'] += 1\n"
        "    if args == 'none': return\n"
        "    respond(client_socket, [args, state['n']], error=args == 'bad')\n"
        "    respond(client_socket, 'second')\n"
    )
    client = bgpy.connect(bgpy.start(tasks))
    job = client.submit({"a": 1}, key="one")
    assert client.submit({"a": 1}, key="one").result() == [{"a": 1}, 1]
    assert bgpy.job(job.id, client).result() == [{"a": 1}, 1]
    with pytest.raises(bgpy.NoResponse):
        client.submit("none").result()
    with pytest.raises(bgpy.RemoteError) as raised:
        client.submit("bad").result()
    assert raised.value.response == ["bad", 3]
    assert [info.state for info in bgpy.jobs(client)] == ["failed", "done", "done"]
    with pytest.raises(bgpy.JobTaken):
        client.submit({"a": 2}, key="one")


def test_a_thousand_jobs_run_in_their_order(trainer):
    jobs = [bgpy.submit(trainer.train, number) for number in range(1000)]
    assert [job.result() for job in jobs] == [f"{n} epochs, run {n + 1}" for n in range(1000)]
    assert len(bgpy.jobs(trainer)) == 1000


def test_names_do_not_reach_a_terminal_raw(trainer):
    key = "a\nb\x1b[31m é"
    job = bgpy.submit(bgpy.options(trainer.count, key=key))
    job.result(20)
    listed = bgpy.jobs(trainer)
    assert listed[0].id == key
    for text in (repr(listed), repr(listed[0]), repr(job)):
        assert r"a\nb\x1b[31m é" in text
        assert "\x1b" not in text
    assert len(repr(listed).splitlines()) == 2
