"""Functions of the caller's that make calls themselves, while a method waits for them."""

from __future__ import annotations

import asyncio

import pytest

import bgpy

LIMIT_S = 10


class Asker:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def ask(self, question):
        return question()

    def ask_often(self, question):
        yield question()

    @bgpy.method(read=True)
    def peek(self, question):
        return question()

    async def await_it(self, question):
        return question()

    def note(self, text):
        self.notes.append(text)
        return list(self.notes)


@pytest.mark.parametrize("method", ["ask", "ask_often", "peek", "await_it"])
def test_a_callback_that_calls_the_server_that_waits_for_it(served, method):
    asker = served(Asker)

    def call_back():
        with pytest.raises(bgpy.WouldDeadlock, match="waits for"):
            asker.note("from the callback")
        return "told"

    with bgpy.deadline(LIMIT_S):
        answer = getattr(asker, method)(bgpy.callback(call_back))
        assert (answer if isinstance(answer, str) else [*answer]) in ("told", ["told"])
        assert asker.note("afterwards") == ["afterwards"]


def test_a_callback_that_calls_back_over_another_server(served):
    first, second = served(Asker), served(Asker)

    def innermost():
        with pytest.raises(bgpy.WouldDeadlock):
            first.note("within two")
        return "told"

    with bgpy.deadline(LIMIT_S):
        assert first.ask(bgpy.callback(lambda: second.ask(bgpy.callback(innermost)))) == "told"


def test_what_a_callback_may_ask_for(served):
    asker, other = served(Asker), served(Asker)

    def call_back():
        job = bgpy.submit(asker.note, "later")
        return other.note("elsewhere"), bgpy.client(asker).status()["state"], job.id

    with bgpy.deadline(LIMIT_S):
        noted, state, job = asker.ask(bgpy.callback(call_back))
        assert (noted, state) == (["elsewhere"], "BUSY")
        assert bgpy.job(job, bgpy.client(asker)).result() == ["later"]


async def call_back_from_a_loop(served, innermost):
    """Have a callback of one server asked for by another one's; return what the first one says."""
    first, second = served(Asker), served(Asker)
    async with client_of(first) as here, client_of(second) as there:
        near, far = await bgpy.aio.connect(here, Asker), await bgpy.aio.connect(there, Asker)

        async def outer():
            return await far.ask(bgpy.callback(lambda: innermost(near, first)))

        async with asyncio.timeout(LIMIT_S):
            told = await near.ask(bgpy.callback(outer))
            return told, await near.note("afterwards")


def client_of(proxy):
    return bgpy.aio.Client(bgpy.client(proxy)._target)


async def awaits(near, first):
    with pytest.raises(bgpy.WouldDeadlock, match="waits for"):
        await near.note("from the callback")
    return "told"


async def gathers(near, first):
    results = await asyncio.gather(near.note("one"), near.note("two"), return_exceptions=True)
    assert {type(result) for result in results} == {bgpy.WouldDeadlock}
    return "told"


def blocks(near, first):
    with pytest.raises(bgpy.WouldDeadlock, match="waits for"):
        first.note("from the callback")
    return "told"


@pytest.mark.parametrize("innermost", [awaits, gathers, blocks])
def test_a_callback_in_a_loop_that_calls_the_server_that_waits_for_it(served, innermost):
    told, notes = asyncio.run(call_back_from_a_loop(served, innermost))
    assert (told, notes) == ("told", ["afterwards"])


def test_what_a_callback_in_a_loop_leaves_behind_may_call_its_server(served):
    left = []

    async def leaves(near, first):
        async def later():
            await is_over.wait()
            return await near.note("left behind")

        left.append(asyncio.create_task(later()))
        return "told"

    async def run():
        nonlocal is_over
        is_over = asyncio.Event()
        asker = served(Asker)
        async with client_of(asker) as client, asyncio.timeout(LIMIT_S):
            near = await bgpy.aio.connect(client, Asker)
            assert await near.ask(bgpy.callback(lambda: leaves(near, asker))) == "told"
            is_over.set()
            return await left[0]

    is_over = None
    assert asyncio.run(run()) == ["left behind"]
