"""A task that runs for long, and holds the interpreter, keeps nobody else waiting."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing

import pytest

from bgpy import CallTimeout

from .target import LIMIT_S, SLACK_BYTES, Pipe, Target, is_refused

TASK_S = 10
SOON_S = 2


def test_others_come_in_while_a_task_runs_for_ten_seconds(target: Target, pipe: Pipe) -> None:
    calls = target.looker.status()["calls"]
    accepted = 0
    with ExitStack() as stack:
        task = target.occupy(pipe, "hold")
        silent = [
            stack.enter_context(closing(target.connect(way)))
            for way in ("tcp", "unix")
            for _ in range(10)
        ]
        for number, stream in enumerate(silent):
            stream.sendall(b"bgpy"[: number % 4])
        while (target.looker.status(timeout=LIMIT_S)["busy_s"] or 0) < TASK_S + 1:
            began = time.monotonic()
            with target.client() as client:
                answer = client.execute(accepted, timeout=LIMIT_S)
                assert answer == {"message": "Received 'EXEC'"}
                accepted += 1
                status = client.status(timeout=LIMIT_S)
                assert (status["state"], status["queue"]) == ("BUSY", accepted)
                assert time.monotonic() - began < SOON_S
                # Taken back when the time is over, and never run.
                with pytest.raises(CallTimeout, match="accepted the call"):
                    client.call("in vain", timeout=0.1)
        # Deadlines hold meanwhile.
        for stream in silent:
            assert is_refused(stream, b"") == b""
        pipe.release()
        task.join()
    target.until(lambda: target.looker.status(timeout=LIMIT_S)["state"] == "READY")
    assert target.looker.status()["calls"] == calls + 1 + accepted
    target.is_as_before()


@pytest.mark.slow
def test_the_memory_of_a_long_queue_is_given_back(target: Target, pipe: Pipe) -> None:
    """It is when the queue is empty, and all that the allocator keeps some time after that."""
    task = target.occupy(pipe)
    with target.client() as client:
        for _ in range(100_000):
            client.execute(None)
        assert target.looker.status(timeout=LIMIT_S)["queue"] == 100_000
        assert target.resident_bytes() > target.bytes + SLACK_BYTES
    pipe.release()
    task.join()
    target.is_as_before(limit_s=100)
