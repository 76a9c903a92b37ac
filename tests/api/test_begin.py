"""Calls under way: begun without waiting, and their results in any order."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import pytest

import bgpy
from bgpy import CallTimeout, NoResponse, RemoteError, respond

LIMIT_S = 20


def echo(client_socket, state, args):
    if args == "raise":
        raise ValueError("no")
    if args != "nothing":
        respond(client_socket, args)


def test_results_in_any_order(serve):
    client = serve(echo)
    calls = [client.begin(number) for number in range(2000)]
    order = list(range(2000))
    random.Random(1).shuffle(order)
    assert [calls[number].result(LIMIT_S) for number in order] == order


def test_the_same_result_as_often_as_it_is_asked_for(serve):
    call = serve(echo).begin({"a": 1})
    assert call.result() is call.result()
    assert call.done()
    assert call.exception() is None


def test_errors(serve):
    client = serve(echo)
    failed, nothing = client.begin("raise"), client.begin("nothing")
    assert isinstance(nothing.exception(LIMIT_S), NoResponse)
    for _ in range(2):
        with pytest.raises(RemoteError, match="no"):
            failed.result(LIMIT_S)
    assert isinstance(failed.exception(), RemoteError)


def test_done_does_not_wait(serve, gate):
    def run(client_socket, state, args):
        gate.enter()
        respond(client_socket, 1)

    call = serve(run).begin(None)
    gate.wait_entered()
    assert not call.done()
    with pytest.raises(CallTimeout):
        call.result(0.05)
    gate.open()
    limit = time.monotonic() + LIMIT_S
    while not call.done():
        assert time.monotonic() < limit
        time.sleep(0.001)
    assert call.result() == 1


def test_many_threads_wait_for_one_call(serve, gate):
    def run(client_socket, state, args):
        gate.enter()
        respond(client_socket, [1, 2])

    call = serve(run).begin(None)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(call.result(LIMIT_S))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    gate.wait_entered()
    gate.open()
    for thread in threads:
        thread.join(LIMIT_S)
    assert len(results) == 8
    assert all(result is results[0] for result in results)


def test_threads_begin_and_wait_on_one_client(serve):
    client = serve(echo)
    wrong = []

    def work(base):
        calls = [client.begin(base + number) for number in range(500)]
        wrong.extend(n for n, call in enumerate(calls) if call.result(LIMIT_S) != base + n)

    threads = [threading.Thread(target=work, args=(1000 * number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * LIMIT_S)
        assert not thread.is_alive()
    assert not wrong


def test_ordinary_calls_in_between(serve):
    client = serve(echo)
    calls = []
    for number in range(300):
        calls.append(client.begin(number))
        if number % 7 == 0:
            assert client.call(-number) == -number
    assert [call.result() for call in calls] == list(range(300))


def test_the_server_dies_meanwhile(serve, gate):
    client = serve(lambda *_: gate.enter())
    calls = [client.begin(None) for _ in range(3)]
    gate.wait_entered()
    os.kill(client.status()["pid"], signal.SIGKILL)
    for call in calls:
        with pytest.raises(bgpy.ConnectionLost):
            call.result(LIMIT_S)
        assert call.done()


def test_progress(serve):
    def work(client_socket, state, args):
        for done in range(10):
            bgpy.progress(done, 10, f"step {done}")
            time.sleep(0.05)
        respond(client_socket, "done")

    client, seen = serve(work), []
    assert client.call(None, on_progress=seen.append) == "done"
    assert seen
    assert all(isinstance(progress, bgpy.Progress) for progress in seen)
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    last = seen[-1]
    assert (last.total, last.text, last.fraction) == (10, f"step {int(last.done)}", last.done / 10)


def test_progress_in_the_status_of_everybody(serve, gate):
    def work(client_socket, state, args):
        if args == "train":
            bgpy.progress(3, 4, "training")
            gate.enter()
        respond(client_socket, 1)

    client = serve(work)
    call = client.begin("train")
    gate.wait_entered()
    status = client.status()
    assert status["progress"] == {"done": 3.0, "total": 4.0, "text": "training"}
    gate.open()
    call.result(LIMIT_S)
    # A task may go on after its answer: only the answer of the next one tells that it has ended.
    client.call("rest")
    assert client.status()["progress"] is None


def test_progress_outside_of_a_task_does_nothing():
    bgpy.progress(1, 2, "text")
    bgpy.check_cancelled()
    with bgpy.shield():
        pass


def test_what_on_progress_raises_is_raised(serve, gate):
    def work(client_socket, state, args):
        bgpy.progress(1)
        gate.enter()

    def stop(progress):
        raise KeyError(progress.done)

    with pytest.raises(KeyError):
        serve(work).call(None, on_progress=stop)
    gate.wait_entered()


def test_wrong_arguments(serve):
    client = serve(echo)
    with pytest.raises(TypeError, match="on_progress must be a function, not int"):
        client.begin(1, on_progress=1)
    with pytest.raises(TypeError, match="callback: pass a function, not int"):
        bgpy.callback(1)


class Account:
    def __init__(self, report):
        self.report = report


def test_callbacks(serve):
    def work(client_socket, state, args):
        respond(client_socket, [args["f"](n, scale=10) for n in range(5)])

    client, here = serve(work), threading.get_ident()
    threads = set()

    def scaled(n, scale):
        threads.add(threading.get_ident())
        return n * scale

    arguments = {"f": bgpy.callback(scaled)}
    for result in (client.call(arguments), client.begin(arguments).result(LIMIT_S)):
        assert result == [0, 10, 20, 30, 40]
    assert [*client.stream(arguments)] == [[0, 10, 20, 30, 40]]
    assert threads == {here}


def test_a_callback_that_raises(serve):
    def work(client_socket, state, args):
        try:
            args()
        except RemoteError as error:
            respond(client_socket, [repr(error.exception), error.exception_type, str(error)])

    def fails():
        raise ValueError("here")

    exception, kind, text = serve(work).call(bgpy.callback(fails))
    assert (exception, kind) == ("ValueError('here')", "ValueError")
    assert "here" in text


def test_a_callback_of_a_call_that_is_over(serve):
    def keep(client_socket, state, args):
        if args is None:
            try:
                state["kept"]()
            except bgpy.CallbackGone as error:
                respond(client_socket, str(error))
            return
        state["kept"] = args
        respond(client_socket, 1)

    client = serve(keep)
    client.call(bgpy.callback(int))
    assert "is over" in client.call(None)


def test_a_callback_is_sent_in_arguments_only(serve):
    def work(client_socket, state, args):
        respond(client_socket, bgpy.callback(print))

    with pytest.raises(RemoteError, match="only in the arguments"):
        serve(work).call(None)


def test_a_callback_in_the_middle_of_data(serve):
    def work(client_socket, state, args):
        respond(client_socket, args["deep"][1][0]("x"))

    client = serve(work)
    assert client.call({"deep": [1, (bgpy.callback(str.upper),)]}) == "X"


def test_a_forked_child_cannot_wait_for_calls_of_its_parent(serve, gate):
    def work(client_socket, state, args):
        gate.enter()
        respond(client_socket, 1)

    client = serve(work)
    call, stream = client.begin(None), client.stream(None)
    gate.wait_entered()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for wait in (call.result, lambda: next(stream), call.cancel):
                with pytest.raises(bgpy.ConnectionLost, match="parent"):
                    wait()
            stream.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    gate.open()
    assert call.result(LIMIT_S) == 1
    gate.wait_entered()
    gate.open()
    assert list(stream) == [1]


def test_wait_and_as_completed(serve, gates):
    def run(client_socket, state, args):
        if args:
            args.enter()
        respond(client_socket, 1)

    first, second = serve(run), serve(run)
    a, b = gates(), gates()
    calls = [first.begin(a), second.begin(b), second.begin(None)]
    a.wait_entered()
    b.wait_entered()
    assert bgpy.wait(calls, 0.05) == (set(), set(calls))
    a.open()
    done, rest = bgpy.wait(calls, LIMIT_S, "FIRST_COMPLETED")
    assert (done, rest) == ({calls[0]}, set(calls[1:]))
    b.open()
    assert bgpy.wait(calls, LIMIT_S) == (set(calls), set())
    assert set(bgpy.as_completed(calls)) == set(calls)
    with pytest.raises(bgpy.ConfigError, match="return_when"):
        bgpy.wait(calls, return_when="NEVER")


def test_as_completed_of_one_connection(serve):
    client = serve(echo)
    calls = {client.begin(number): number for number in range(500)}
    seen = [calls[call] for call in bgpy.as_completed(calls, LIMIT_S)]
    assert sorted(seen) == list(range(500))
    assert bgpy.wait([]) == (set(), set())


def test_as_completed_gives_up_in_time(serve, gate):
    call = serve(lambda *_: gate.enter()).begin(None)
    gate.wait_entered()
    with pytest.raises(CallTimeout, match="0.1 s"):
        list(bgpy.as_completed([call], 0.1))


def test_the_first_exception(serve):
    client = serve(echo)
    calls = [client.begin(1), client.begin("raise"), client.begin(2)]
    done, _ = bgpy.wait(calls, LIMIT_S, "FIRST_EXCEPTION")
    assert calls[1] in done


def test_futures(serve, gate):
    import concurrent.futures

    def run(client_socket, state, args):
        if args == "wait":
            gate.tell()
            time.sleep(LIMIT_S)
        respond(client_socket, args)

    client = serve(run)
    futures = [client.begin(number).future() for number in range(300)]
    done, _ = concurrent.futures.wait(futures, LIMIT_S)
    assert sorted(future.result() for future in done) == list(range(300))
    threads = [thread for thread in threading.enumerate() if thread.name == "bgpy-futures"]
    assert len(threads) <= 1
    heard = threading.Event()
    future = client.begin("wait").future()
    future.add_done_callback(lambda _: heard.set())
    gate.wait_entered()
    future.cancel()
    assert heard.wait(LIMIT_S)
    assert isinstance(future.exception(), bgpy.CallCancelled)


def test_awaiting_a_call(serve):
    import asyncio

    client = serve(echo)

    async def main():
        return await asyncio.gather(*(client.begin(number) for number in range(50)))

    assert asyncio.run(main()) == list(range(50))
