"""A `Server` acts on the server that it has started or found, and on no other."""

from __future__ import annotations

import os
from multiprocessing import get_context

import pytest
from support.processes import KILL

from bgpy import Client, Server, connect, respond, start

HOST = "127.0.0.1"


def count(client_socket, state, args):
    state["calls"] = state.get("calls", 0) + 1
    respond(client_socket, state["calls"])


@pytest.fixture
def another(request):
    """Return what starts another server with the same name or at the same port."""

    def begin(first: Server) -> Server:
        name = first.name and str(first.name)
        other = Server(HOST, 0 if name else first.port, name=name)
        other.run_background()
        request.addfinalizer(lambda: other.stop(20))
        with client(other) as caller:
            caller.initialize(dict, count)
            assert caller.call(None) == 1
        return other

    return begin


def client(server: Server) -> Client:
    return Client(HOST, server.port)


@pytest.mark.parametrize("name", ["db", None])
@pytest.mark.parametrize("how", ["started", "found", "no token"])
def test_one_that_has_ended_is_not_taken_for_another(name, how, another):
    first = Server(HOST, 0, name=name, auth=how != "no token")
    first.run_background()
    if how == "found":
        if name is None:
            pytest.skip("only a name can be found")
        held, first = first, Server(HOST, 0, name=name)
        first.run_background(exist_ok=True)
        assert first.pid == held.pid
    os.kill(first.pid, KILL)
    first.wait(timeout=20)
    other = another(first)
    assert not first.is_alive()
    first.wait(timeout=20)
    first.stop(20)
    assert other.is_alive()
    with client(other) as caller:
        assert caller.call(None) == 2


def test_the_end_of_a_block_stops_no_other(another):
    with Server(name="db") as first:
        os.kill(first.pid, KILL)
        first.wait(timeout=20)
        other = another(first)
    with client(other) as caller:
        assert caller.call(None) == 2


def test_one_that_was_replaced_is_left_to_its_successor():
    first = start((dict, count), "db")
    second = start((dict, count), "db", replace=True)
    first.stop(20)
    assert connect("db").call(None) == 1
    second.stop(20)
    assert not second.is_alive()


def stop(server: Server) -> None:
    server.stop(20)
    assert server.wait(timeout=20) in (0, None)


def test_a_forked_child_of_the_starter_can_stop_it():
    server = Server()
    server.run_background()
    child = get_context("fork").Process(target=stop, args=(server,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert not server.is_alive()
    assert server.wait(timeout=20) == 0
