"""Definitions in several threads and processes at once: nobody waits for another one's code."""

from __future__ import annotations

import base64
import enum
import os
import subprocess
import sys
import threading
from textwrap import dedent

import pytest

from bgpy import Client, respond
from bgpy._by_value import dumps
from bgpy._code import define

HOST = "127.0.0.1"
LIMIT_S = 20

TWINS = """
class Base:
    log = []

    def base(self):
        assert helper() is not None
        return Base

class Twin(Base):
    pass

def helper():
    return LOG

LOG = []
"""


def reply(client_socket, state, args):
    respond(client_socket, args)


def test_a_pickle_may_call_a_server_itself(serve):
    client = serve(lambda client_socket, state, args: respond(client_socket, "told"))

    class Asks:
        def __reduce__(self):
            return str, (client.call(lambda: 1, timeout=LIMIT_S),)

    assert client.call([Asks(), lambda: 2], timeout=LIMIT_S) == "told"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_while_another_thread_pickles(serve):
    client = serve(reply)
    reached, forked = threading.Event(), threading.Event()

    class Slow:
        def __reduce__(self):
            reached.set()
            assert forked.wait(LIMIT_S)
            return str, ("slow",)

    thread = threading.Thread(target=client.call, args=([Slow(), lambda: 1],))
    thread.start()
    assert reached.wait(LIMIT_S)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = client.call(lambda: 3, timeout=LIMIT_S)()
        finally:
            os._exit(code)
    forked.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


def test_threads_that_build_a_class_at_once_build_one(serve):
    def twins(client_socket, state, args):
        # Each round has definitions that nobody has built before.
        if args not in state:
            namespace = {"__name__": f"twins_{args}"}
            exec(TWINS, namespace)
            state[args] = namespace["Twin"]
        respond(client_socket, [state[args](), state[args]])

    first = serve(twins)
    clients = [Client(HOST, first.port) for _ in range(8)]
    for client in clients:
        client.ping()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for place in range(10):
            found = []
            together = threading.Barrier(len(clients))

            def get(client, place=place, found=found, together=together):
                together.wait(LIMIT_S)
                twin, cls = client.call(place)
                found.append((type(twin), cls, twin.base()))

            threads = [threading.Thread(target=get, args=[client]) for client in clients]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(found) == len(clients)
            assert {len({id(part) for part in parts}) for parts in zip(*found, strict=True)} == {1}
            twin, cls, base = found[0]
            assert (twin, cls.__mro__[1]) == (cls, base)
    finally:
        sys.setswitchinterval(interval)


# The members of an enumeration cannot be replaced, so each version of it is a class of its own.
CHANGING = {
    "a method": """
        class Twin(enum.Enum):
            A = 1
            def method(self):
                return 1
        def change():
            Twin.method = lambda self: 2
        """,
    "what a decorator has made": """
        def returns(number):
            def wrapper(self):
                return number
            return wrapper
        class Twin(enum.IntFlag):
            A = 1
            method = returns(1)
        def change():
            Twin.method = returns(2)
        """,
    "a code": """
        class Twin(enum.Enum):
            A = 1
            def method(self):
                return 1
        def change():
            Twin.method.__code__ = (lambda self: 2).__code__
        """,
    "a base": """
        class Base:
            def method(self):
                return 1
        class Twin(Base, enum.Enum):
            A = 1
        def change():
            Base.method = Twin.more = lambda self: 2
        """,
}

RECEIVER = """
import base64, pickle, sys, warnings
warnings.simplefilter("ignore", RuntimeWarning)
found = [pickle.loads(base64.b64decode(line)) for line in sys.stdin]
print(len(found), len({id(cls) for cls in found}), {cls.A.method() for cls in found})
"""


@pytest.mark.parametrize("before", ["class_parts", "source_of"])
@pytest.mark.parametrize("case", CHANGING)
def test_what_changes_while_it_is_pickled_is_sent_as_one_version(monkeypatch, case, before):
    """The change of another thread comes between the digest and the contents."""
    names = {"__name__": f"changing_{case}_{before}", "enum": enum}
    exec(dedent(CHANGING[case]), names)
    twin, changes, digested = names["Twin"], [names["change"]], []
    read, digests = getattr(define, before), define.Content.digests

    def read_late(obj):
        # Only what is digested by then can be a mixture.
        if changes and twin in digested:
            changes.pop()()
        return read(obj)

    def noted(content, obj):
        digested.append(obj)
        return digests(content, obj)

    monkeypatch.setattr(define.Content, "digests", noted)
    monkeypatch.setattr(define, before, read_late)
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        messages = [dumps(twin, 0)[0] for _ in range(3)]
    finally:
        ended.set()
        thread.join()
    assert not changes
    lines = [base64.b64encode(message).decode() + "\n" for message in messages]
    done = subprocess.run(
        [sys.executable, "-P", "-c", RECEIVER],
        input="".join(lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "3 1 {2}\n"
