"""Messages that fail leave nothing behind: neither half of a definition, nor memory."""

from __future__ import annotations

import gc
import threading

import psutil
import pytest

from bgpy import RemoteError, SerializationError, connect, respond

LIMIT_S = 20
MB = 1 << 20


class Resource:
    """Fails to arrive while its file is there."""

    def __init__(self, flag):
        self.flag = flag

    def __getstate__(self):
        return {"flag": self.flag}

    def __setstate__(self, state):
        import os

        if os.path.exists(state["flag"]):
            raise OSError("the resource is busy")
        self.__dict__.update(state)


def run(client_socket, state, args):
    function, *rest = args
    respond(client_socket, function(*rest))


def test_a_function_that_arrives_again_after_a_failure_is_whole(serve, tmp_path):
    client, flag = serve(run), tmp_path / "busy"

    class Config:
        resource, level = Resource(str(flag)), 1

    def make():
        def depth(n):
            return Config.level if n == 0 else 1 + depth(n - 1)

        def even(n):
            return n == 0 or odd(n - 1)

        def odd(n):
            return n != 0 and even(n - 1) and Config.level

        return depth, even

    depth, even = make()
    flag.touch()
    for function in (depth, even):
        with pytest.raises((RemoteError, SerializationError), match="the resource is busy"):
            client.call((function, 4), timeout=LIMIT_S)
    flag.unlink()
    for _ in range(3):
        assert client.call((depth, 4), timeout=LIMIT_S) == 5
        assert client.call((even, 4), timeout=LIMIT_S)


def test_a_class_that_arrives_again_after_a_failure_is_whole(serve, tmp_path):
    client, flag = serve(run), tmp_path / "busy"

    class Config:
        old, level, resource = [1], [1], Resource(str(flag))

        def number(self):
            return self.level[0]

    def seen(cls):
        return cls().number(), hasattr(cls, "old"), hasattr(cls, "new")

    assert client.call((seen, Config), timeout=LIMIT_S) == (1, True, False)
    Config.level, Config.new = [2], [2]
    flag.touch()
    with pytest.raises((RemoteError, SerializationError), match="the resource is busy"):
        client.call((seen, Config), timeout=LIMIT_S)
    del Config.old
    flag.unlink()
    for _ in range(3):
        assert client.call((seen, Config), timeout=LIMIT_S) == (2, False, True)


def test_messages_that_fail_take_no_memory(serve, tmp_path):
    client, flag = serve(run), tmp_path / "busy"
    flag.touch()
    process = psutil.Process(connect(f"127.0.0.1:{client.port}").status()["pid"])

    def fail():
        resource, large = Resource(str(flag)), bytearray(4 * MB)

        def function():
            return large, resource

        class Holder:
            data = large
            more = resource

        with pytest.raises((RemoteError, SerializationError), match="the resource is busy"):
            client.call((function, Holder), timeout=LIMIT_S)

    for _ in range(10):
        fail()
    before = process.memory_info().rss
    for _ in range(60):
        fail()
    gc.collect()
    # Each of them brings 4 MB.
    assert process.memory_info().rss - before < 100 * MB


def test_what_another_thread_builds_is_not_forgotten_with_a_failure(serve, tmp_path):
    """A message that fails in one thread leaves alone what is being built in another."""
    flag = tmp_path / "busy"
    flag.touch()

    def answer(client_socket, state, args):
        class Twin:
            resource = Resource(args)

        respond(client_socket, [Twin, Twin()])

    client = serve(answer)
    wrong = []

    def get(argument):
        for _ in range(20):
            try:
                cls, twin = client.call(argument, timeout=LIMIT_S)
                if type(twin) is not cls or argument == str(flag):
                    wrong.append(cls)
            except SerializationError:
                if argument != str(flag):
                    wrong.append(argument)

    threads = [
        threading.Thread(target=get, args=[it]) for it in [str(flag), str(tmp_path / "free")] * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
