"""Jobs, submitted and awaited in an event loop."""

from __future__ import annotations

import asyncio

import pytest

import bgpy
from services.trainer import Trainer


def test_jobs_in_an_event_loop(trainer, tmp_path):
    gate = tmp_path / "gate"
    target = bgpy.client(trainer)._target

    async def main():
        async with bgpy.aio.Client(target) as client:
            remote = await client.service()
            job = await bgpy.submit(remote.train, 3)
            assert await job == await job.result() == "3 epochs, run 1"
            waiting = await bgpy.submit(bgpy.options(remote.wait, key="w"), str(gate))
            with pytest.raises(bgpy.CallTimeout, match="it goes on"):
                await waiting.result(timeout=0.05)
            awaiting = asyncio.ensure_future(waiting.result())
            await asyncio.sleep(0)
            awaiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await awaiting
            assert await waiting.state() == "running"
            never = await bgpy.submit(remote.wait, str(tmp_path / "never"))
            assert [info.id for info in await client.jobs()] == [never.id, "w", job.id]
            second = await client.job("w")
            gate.touch()
            assert await asyncio.gather(waiting, second.result()) == [str(gate)] * 2
            assert await never.cancel() == "cancelled"
            with pytest.raises(bgpy.CallCancelled):
                await never
            failing = await bgpy.submit(remote.fail, "no")
            with pytest.raises(KeyError):
                await failing
            with pytest.raises(bgpy.JobNotFound):
                await client.job("nobody")

    asyncio.run(main())


def test_a_job_that_is_lost_is_told_in_an_event_loop(served):
    trainer = served(Trainer, restart="on-failure")
    target = bgpy.client(trainer)._target

    async def main():
        async with bgpy.aio.Client(target) as client:
            remote = await client.service()
            dying = await bgpy.submit(remote.die)
            with pytest.raises(bgpy.JobLost):
                await dying
            assert await (await bgpy.submit(remote.train)) == "1 epochs, run 1"

    asyncio.run(main())


def test_who_awaits_a_job_and_closes_the_client_does_not_open_it_again(trainer, tmp_path):
    target = bgpy.client(trainer)._target

    async def main():
        client = bgpy.aio.Client(target)
        remote = await client.service()
        job = await bgpy.submit(remote.wait, str(tmp_path / "never"))
        await client.ping()
        awaiting = asyncio.ensure_future(job.result())
        while await job.state() != "running":
            pass
        await client.close()
        with pytest.raises(bgpy.ConnectionLost, match="closed by this client"):
            await awaiting
        assert await job.cancel() == "cancelled"

    asyncio.run(main())
