"""Methods that are defined with async def: they run between other calls, on one event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest

import bgpy

LIMIT_S = 20


class Hub:
    def __init__(self):
        self.events = {}
        self.log = []

    def event(self, name):
        return self.events.setdefault(name, asyncio.Event())

    async def wait(self, name: str) -> str:
        try:
            await self.event(name).wait()
        except asyncio.CancelledError:
            self.log.append(f"{name} cancelled")
            raise
        return name

    def set(self, name: str) -> int:
        self.event(name).set()
        return len(self.events)

    async def thread(self):
        await asyncio.sleep(0)
        return threading.current_thread() is threading.main_thread()

    async def fail(self):
        await asyncio.sleep(0)
        raise LookupError("not there")

    async def leave(self):
        raise SystemExit(3)

    async def count(self, number: int, size: int = 0) -> AsyncIterator[object]:
        try:
            for n in range(number):
                yield bytes(size) if size else n
        finally:
            self.log.append("counted")

    async def progress(self):
        bgpy.progress(1, 2, "half")
        await self.event("go on").wait()
        return 1

    async def shielded(self, gate):
        with bgpy.shield():
            gate.tell()
            await self.event("shield").wait()
            self.log.append("done in peace")
        self.log.append("not reached")

    def background(self):
        async def tick():
            for _ in range(5):
                await asyncio.sleep(0.01)
                self.log.append("tick")

        self.task = asyncio.get_event_loop().create_task(tick())

    @bgpy.method(read=True)
    def look(self, seconds: float = 0.0) -> list[str]:
        time.sleep(seconds)
        return list(self.log)

    def plain(self) -> list[str]:
        return self.log


@pytest.fixture
def hub(served):
    return served(Hub)


def wait_for(hub, text):
    ends = time.monotonic() + LIMIT_S
    while text not in hub.plain():
        assert time.monotonic() < ends, f"{text} never came"
        time.sleep(0.01)


def test_a_call_that_awaits_keeps_nobody_waiting(hub):
    calls = [bgpy.begin(hub.wait, str(n)) for n in range(50)]
    for n in reversed(range(50)):
        hub.set(str(n))
        assert calls[n].result(LIMIT_S) == str(n)
    assert hub.thread()


def test_exceptions_and_exits(hub):
    with pytest.raises(LookupError, match="not there") as caught:
        hub.fail()
    assert "in fail" in caught.value.__cause__.remote_traceback
    with pytest.raises(bgpy.RemoteError, match="SystemExit"):
        hub.leave()
    assert hub.thread()


def test_a_cancel_reaches_the_call_that_it_is_for(hub):
    one, two = bgpy.begin(hub.wait, "one"), bgpy.begin(hub.wait, "two")
    hub.plain()
    assert one.cancel(LIMIT_S) == "cancelled"
    assert hub.plain() == ["one cancelled"]
    hub.set("two")
    assert two.result(LIMIT_S) == "two"


def test_a_deadline_cancels(hub):
    with pytest.raises(bgpy.CallTimeout):
        bgpy.options(hub.wait, timeout=0.2)("never")
    wait_for(hub, "never cancelled")


def test_a_client_that_leaves_cancels(hub):
    other = bgpy.Client(bgpy.client(hub)._target)
    call = bgpy.begin(other.service(Hub).wait, "left")
    hub.plain()
    other.close()
    wait_for(hub, "left cancelled")
    with pytest.raises(bgpy.ConnectionLost):
        call.result(LIMIT_S)


def test_an_asynchronous_generator_is_a_stream(hub):
    assert list(hub.count(1000)) == [*range(1000)]
    assert hub.plain() == ["counted"]


def test_a_stalled_asynchronous_generator_keeps_nobody_waiting(hub):
    stream = hub.count(1000, 200_000)
    assert len(next(stream)) == 200_000
    assert hub.plain() == []
    assert sum(1 for _ in stream) == 999
    stream = hub.count(1000, 200_000)
    next(stream)
    stream.close()
    wait_for(hub, "counted")


def test_progress_and_shield(hub, gate):
    seen = []
    call = bgpy.begin(bgpy.options(hub.progress, on_progress=seen.append))
    while bgpy.client(hub).status()["progress"] is None:
        time.sleep(0.01)
    hub.set("go on")
    assert call.result(LIMIT_S) == 1
    call = bgpy.begin(hub.shielded, gate)
    gate.wait_entered()
    assert call.cancel(timeout=0.1) == "running"
    hub.set("shield")
    with pytest.raises(bgpy.CallCancelled):
        call.result(LIMIT_S)
    assert hub.plain() == ["done in peace"]


def test_tasks_in_the_background_go_on(hub):
    hub.background()
    ends = time.monotonic() + LIMIT_S
    while hub.plain().count("tick") < 5:
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_readers_beside_it(hub):
    call = bgpy.begin(hub.wait, "end")
    reads = [bgpy.begin(hub.look, 0.01) for _ in range(50)]
    hub.set("end")
    assert call.result(LIMIT_S) == "end"
    assert [read.result(LIMIT_S) for read in reads] == [[]] * 50


def test_a_server_that_is_stopped_cancels_what_awaits(host):
    server = host(Hub)
    call = bgpy.begin(bgpy.connect(server, Hub).wait, "end")
    server.stop(LIMIT_S)
    with pytest.raises(bgpy.CallCancelled):
        call.result(LIMIT_S)


class Session:
    async def __aenter__(self):
        self.loop = asyncio.get_running_loop()
        return self

    async def __aexit__(self, *exception):
        with open(self.place, "w") as file:
            file.write("left")

    async def same_loop(self, place: str) -> bool:
        self.place = place
        return asyncio.get_running_loop() is self.loop


def test_an_asynchronous_context_manager(host, tmp_path):
    server = host(Session)
    assert bgpy.connect(server, Session).same_loop(str(tmp_path / "left"))
    server.stop(LIMIT_S)
    assert (tmp_path / "left").read_text() == "left"


def test_a_proxy_to_await(hub):
    async def use():
        client = bgpy.aio.Client(bgpy.client(hub)._target)
        proxy = await bgpy.aio.connect(client, Hub)
        waiting = asyncio.ensure_future(proxy.wait("a"))
        assert await proxy.set("a") == 1
        assert await waiting == "a"
        assert [n async for n in proxy.count(3)] == [0, 1, 2]
        call = await bgpy.begin(proxy.wait, "b")
        call.cancel()
        with pytest.raises(TypeError, match="wait"):
            await proxy.wait()
        with pytest.raises(bgpy.CallTimeout):
            await bgpy.options(proxy.wait, timeout=0.1)("never")
        await client.close()

    asyncio.run(use())


class Opener:
    def __enter__(self):
        return Hub()

    def __exit__(self, *exception):
        pass


def test_what_enter_returns_may_have_async_methods(served):
    hub = served(lambda: Opener())
    assert hub.thread() is True
    assert list(hub.count(2)) == [0, 1]
