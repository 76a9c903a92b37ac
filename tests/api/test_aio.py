"""The client for asyncio."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import numpy
import pytest

import bgpy
from bgpy import CallTimeout, ConnectionLost, RemoteError, aio, respond

HOST = "127.0.0.1"
LIMIT_S = 20


def tasks(client_socket, state, args):
    kind, value = args
    if kind == "echo":
        respond(client_socket, value)
    elif kind == "count":
        for number in range(value):
            respond(client_socket, number)
    elif kind == "raise":
        raise ValueError(value)
    elif kind == "notes":
        respond(client_socket, state.setdefault("notes", []))
    elif kind == "sleep":
        try:
            time.sleep(value)
        except bgpy.Cancelled:
            state.setdefault("notes", []).append("cancelled")
            raise
        respond(client_socket, "slept")
    elif kind == "progress":
        for done in range(value):
            bgpy.progress(done, value, "counting")
            time.sleep(0.05)
        respond(client_socket, "done")
    elif kind == "callback":
        respond(client_socket, [value(number) for number in range(3)])


@pytest.fixture
def server(serve):
    return serve(tasks)


def run(server, main):
    """Run a coroutine function with a client, and bound it."""

    async def bounded():
        async with aio.Client(HOST, server.port) as client, asyncio.timeout(3 * LIMIT_S):
            return await main(client)

    return asyncio.run(bounded())


def test_calls_at_once_have_their_own_answers(server):
    async def main(client):
        return await asyncio.gather(*(client.call(("echo", number)) for number in range(2000)))

    assert run(server, main) == list(range(2000))


def test_calls_under_way(server):
    async def main(client):
        calls = [await client.begin(("echo", number)) for number in range(500)]
        return [await call for call in reversed(calls)]

    assert run(server, main) == list(reversed(range(500)))


def test_what_the_blocking_client_has(server):
    async def main(client):
        assert await client.execute(("echo", 1)) == {"message": "Received 'EXEC'"}
        assert await client.execute(("echo", 1), await_response=True) == 1
        await client.ping()
        # The task may still be on its way to its end.
        while (status := await client.status())["state"] == "BUSY":
            await asyncio.sleep(0)
        assert status["state"] == "READY"
        message = await client.initialize(dict, tasks)
        assert message == {"message": "Already initialized."}
        assert await client.terminate() == {"message": "Received 'EXIT'"}

    run(server, main)


def test_errors(server):
    async def main(client):
        with pytest.raises(RemoteError, match="oh") as caught:
            await client.call(("raise", "oh"))
        assert isinstance(caught.value.exception, ValueError)
        with pytest.raises(bgpy.NoResponse):
            await client.call(("nothing", None))
        with pytest.raises(bgpy.SerializationError):
            await client.call(threading.Lock())
        assert await client.call(("echo", 1)) == 1

    run(server, main)


def test_large_messages(server):
    async def main(client):
        arrays = [numpy.arange(n, dtype="f8") for n in (10, 100_000, 5_000_000)]
        answers = await asyncio.gather(*(client.call(("echo", array)) for array in arrays))
        for array, answer in zip(arrays, answers, strict=True):
            assert (array == answer).all()

    run(server, main)


def test_an_argument_may_change_as_soon_as_the_call_is_begun(server):
    async def main(client):
        array = numpy.zeros(5_000_000)
        call = await client.begin(("echo", array))
        array[:] = 1
        assert not (await call).any()

    run(server, main)


@pytest.mark.parametrize("number", [0, 1, 30_000])
def test_streams(server, number):
    async def main(client):
        return [value async for value in client.stream(("count", number))]

    assert run(server, main) == list(range(number))


def test_streams_at_once_and_calls_in_between(server):
    async def main(client):
        async def total():
            return sum([value async for value in client.stream(("count", 5000))])

        totals, echo = await asyncio.gather(
            asyncio.gather(*(total() for _ in range(4))), client.call(("echo", "x"))
        )
        assert totals == [sum(range(5000))] * 4
        assert echo == "x"

    run(server, main)


def test_leaving_a_stream_cancels(server):
    async def main(client):
        async with client.stream(("count", 10**9)) as stream:
            async for value in stream:
                if value == 1000:
                    break
        assert await client.call(("echo", 1), timeout=LIMIT_S) == 1

    run(server, main)


def test_a_cancelled_await_cancels_its_call_and_no_other(server):
    async def main(client):
        first = asyncio.create_task(client.call(("sleep", LIMIT_S)))
        second = asyncio.create_task(client.call(("echo", 2)))
        await asyncio.sleep(0.2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await second == 2
        assert await client.call(("notes", None)) == ["cancelled"]

    run(server, main)


def test_cancels_at_every_moment_shift_no_answers(server):
    async def main(client):
        for turn in range(300):
            calls = [asyncio.create_task(client.call(("echo", number))) for number in range(5)]
            for _ in range(turn % 7):
                await asyncio.sleep(0)
            calls[turn % 5].cancel()
            results = await asyncio.gather(*calls, return_exceptions=True)
            for number, result in enumerate(results):
                assert result == number or isinstance(result, asyncio.CancelledError), results
        assert await client.call(("echo", "last")) == "last"

    run(server, main)


def test_timeouts(server):
    async def main(client):
        with pytest.raises(CallTimeout, match="cancelled"):
            await client.call(("sleep", LIMIT_S), timeout=0.2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.call(("sleep", LIMIT_S))
        assert await client.call(("notes", None)) == ["cancelled"] * 2

    run(server, main)


def test_a_task_group(server):
    async def main(client):
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(client.call(("echo", number))) for number in range(10)]
        assert [call.result() for call in calls] == list(range(10))

        async def fail():
            async with asyncio.TaskGroup() as group:
                group.create_task(client.call(("sleep", LIMIT_S)))
                await asyncio.sleep(0.1)
                raise ValueError("leave")

        with pytest.raises(ExceptionGroup):
            await fail()
        assert await client.call(("notes", None)) == ["cancelled"]

    run(server, main)


def test_progress_and_callbacks(server):
    async def main(client):
        seen = []
        assert await client.call(("progress", 6), on_progress=seen.append) == "done"
        assert seen
        assert seen[-1].total == 6

        async def later(number):
            await asyncio.sleep(0.01)
            return number * 10

        assert await client.call(("callback", bgpy.callback(later))) == [0, 10, 20]
        assert await client.call(("callback", bgpy.callback(str))) == ["0", "1", "2"]

    run(server, main)


def test_several_loops_and_threads_use_one_client(server):
    client = aio.Client(HOST, server.port)
    wrong = []

    def work(base):
        async def main():
            answers = await asyncio.gather(*(client.call(("echo", base + n)) for n in range(200)))
            wrong.extend(a for n, a in enumerate(answers) if a != base + n)
            await client.close()

        for _ in range(3):
            asyncio.run(main())

    threads = [threading.Thread(target=work, args=(1000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * LIMIT_S)
        assert not thread.is_alive()
    assert not wrong


def test_the_server_dies_meanwhile(server):
    async def main(client):
        status = await client.status()
        calls = [asyncio.create_task(client.call(("sleep", LIMIT_S))) for _ in range(3)]
        await asyncio.sleep(0.2)
        os.kill(status["pid"], signal.SIGKILL)
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(outcome, ConnectionLost)
        with pytest.raises(bgpy.NotRunning):
            await client.call(("echo", 1))

    run(server, main)


def test_no_thread_is_left(server):
    async def main(client):
        await asyncio.gather(*(client.call(("echo", number)) for number in range(100)))
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if "bgpy" in name], names

    run(server, main)


def test_a_closed_client_connects_again(server):
    async def main(client):
        assert await client.call(("echo", 1)) == 1
        await client.close()
        assert await client.call(("echo", 2)) == 2

    run(server, main)


def test_closing_fails_what_is_under_way(server):
    async def main(client):
        call = await client.begin(("sleep", LIMIT_S))
        await asyncio.sleep(0.1)
        await client.close()
        with pytest.raises(ConnectionLost):
            await call

    run(server, main)
    assert server.call(("notes", None), timeout=2 * LIMIT_S) in ([], ["cancelled"])


def test_connect(server):
    async def main():
        client = await aio.connect(f"{HOST}:{server.port}", timeout=LIMIT_S)
        assert await client.call(("echo", 1)) == 1
        await client.close()
        with pytest.raises(bgpy.NotRunning):
            await aio.connect("nobody-of-that-name")

    asyncio.run(main())
