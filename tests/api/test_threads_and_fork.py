"""A client may be shared between threads, used after a fork, and outlive its server."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bgpy import Client, NotRunning, respond

HOST = "127.0.0.1"


def echo(client_socket, state, args):
    respond(client_socket, args)


def test_threads_share_a_client(serve):
    client = serve(echo)

    def use(thread):
        return [client.call((thread, number)) for number in range(200)]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(use, range(8)))
    assert answers == [[(thread, number) for number in range(200)] for thread in range(8)]
    assert client.status()["clients"] == 1


def test_threads_share_a_client_for_large_messages(serve):
    client = serve(echo)

    def use(thread):
        data = bytes([thread]) * (3 << 20)
        return all(client.call(data) == data for _ in range(5))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(use, range(4)))


def test_threads_connect_at_once(start):
    client = Client(HOST, start().port)
    ready = threading.Barrier(8)

    def use(_):
        ready.wait()
        client.ping()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
    client.status()


def test_a_waiting_thread_hinders_no_other(serve, gate):
    def run(client_socket, state, args):
        if args == "wait":
            gate.enter()
        respond(client_socket, args)

    client = serve(run)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.call, "wait")
        gate.wait_entered()
        assert client.execute("behind", timeout=20) == {"message": "Received 'EXEC'"}
        assert client.status(timeout=20)["queue"] == 1
        assert not waiting.done()
        gate.open()
        assert waiting.result(20) == "wait"


def test_a_client_that_is_closed_by_another_thread_ends_its_waits(serve, gate):
    client = serve(lambda *_: gate.enter())
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.call, {})
        gate.wait_entered()
        client.close()
        with pytest.raises(ConnectionError, match="closed by this client"):
            waiting.result(20)
    client.ping()


def test_parent_and_child_use_the_client_after_a_fork(scripts, serve):
    printed = scripts.run(
        """
        import os, sys
        from bgpy import Client

        client = Client("127.0.0.1", int(sys.argv[1]))
        client.call("before")
        child = os.fork()
        who = "parent" if child else "child"
        right = all(client.call((who, number)) == (who, number) for number in range(100))
        if child == 0:
            os._exit(0 if right else 1)
        _, status = os.waitpid(child, 0)
        # What the child has done to its copy of the connection does not matter here.
        print(right, status, client.call("after"))
        """,
        serve(echo).port,
    )
    assert printed == "True 0 after\n"


def test_a_child_may_use_the_client_while_a_thread_of_its_parent_waits(scripts, serve, gate):
    def run(client_socket, state, args):
        if args == "wait":
            gate.enter()
        respond(client_socket, args)

    script = scripts.spawn(
        """
        import os, sys, threading
        from bgpy import Client

        client = Client("127.0.0.1", int(sys.argv[1]))
        answers = []
        thread = threading.Thread(target=lambda: answers.append(client.call("wait")))
        thread.start()
        print("calling", flush=True)
        input()
        child = os.fork()
        if child == 0:
            client.ping(timeout=20)
            os._exit(0 if client.status()["state"] == "BUSY" else 1)
        print(os.waitpid(child, 0)[1], flush=True)
        thread.join()
        print(answers)
        """,
        serve(run).port,
        stdin=-1,
    )
    assert script.stdout.readline() == "calling\n"
    gate.wait_entered()
    script.stdin.write("fork\n")
    script.stdin.flush()
    assert script.stdout.readline() == "0\n"
    gate.open()
    assert script.stdout.read() == "['wait']\n"


def test_a_fork_by_multiprocessing_inherits_a_client(scripts, serve):
    printed = scripts.run(
        """
        import multiprocessing, sys
        from bgpy import Client

        client = Client("127.0.0.1", int(sys.argv[1]))
        client.call("before")

        def use(number):
            return client.call(number)

        with multiprocessing.get_context("fork").Pool(4) as pool:
            print(pool.map(use, range(20)) == list(range(20)))
        """,
        serve(echo).port,
    )
    assert printed == "True\n"


def test_a_client_finds_the_next_server_at_the_address(start):
    first = start()
    client = Client(HOST, first.port)
    client.initialize(dict, echo, print)
    assert client.call("first") == "first"
    first.stop()
    with pytest.raises(NotRunning):
        client.ping()
    start(port=first.port)
    client.initialize(dict, echo, print)
    assert client.call("second") == "second"


def test_a_client_that_did_not_notice_finds_the_next_server_too(start):
    first = start()
    client = Client(HOST, first.port)
    client.initialize(dict, echo, print)
    assert client.call("first") == "first"
    first.stop()
    start(port=first.port)
    # The client has made no call meanwhile: all that it could know is that its connection is over.
    client.initialize(dict, echo, print)
    assert client.call("second") == "second"


def test_a_closed_client_connects_again(serve):
    client = serve(echo)
    for _ in range(3):
        client.close()
        assert client.call("again") == "again"
    with client:
        client.ping()
    assert client.call("after the block") == "after the block"
