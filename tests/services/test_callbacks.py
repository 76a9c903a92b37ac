"""Functions of the caller's that make calls themselves, while a method waits for them."""

from __future__ import annotations

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
