"""Definitions in several threads and processes at once: nobody waits for another one's code."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from bgpy import Client, respond

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
