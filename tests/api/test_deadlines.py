"""Deadlines, which servers learn of, and servers that wait for each other."""

from __future__ import annotations

import time

import pytest

import bgpy
from bgpy import CallTimeout, NoResponse, respond

LIMIT_S = 20


def echo(client_socket, state, args):
    respond(client_socket, args)


def test_deadlines(serve, gate):
    def work(client_socket, state, args):
        if args == "notes":
            respond(client_socket, state.get("notes"))
            return
        try:
            time.sleep(args)
        except bgpy.Cancelled:
            state["notes"] = "cancelled"
            raise
        respond(client_socket, args)

    client = serve(work)
    with bgpy.deadline(LIMIT_S):
        assert client.call(0) == 0
        with bgpy.deadline(0.2), pytest.raises(CallTimeout, match="deadline"):
            client.call(LIMIT_S)
        with bgpy.deadline(1000):
            assert client.call(0, timeout=LIMIT_S) == 0
    assert client.call("notes") == "cancelled"


def test_a_call_that_does_not_begin_in_time_does_not_run(serve, gate):
    def work(client_socket, state, args):
        state.setdefault("ran", []).append(args)
        if args == "wait":
            gate.enter()
        respond(client_socket, state["ran"])

    client = serve(work)
    first = client.begin("wait")
    gate.wait_entered()
    with bgpy.deadline(0.1):
        second = client.begin("late")
    time.sleep(0.15)
    gate.open()
    first.result(LIMIT_S)
    with pytest.raises(CallTimeout, match="deadline"):
        second.result(LIMIT_S)
    assert client.call("last") == ["wait", "last"]


def test_a_deadline_that_has_passed(serve):
    client = serve(echo)
    with bgpy.deadline(0), pytest.raises(CallTimeout):
        client.call(1)


@pytest.mark.parametrize("seconds", [-1, "1", None, float("nan"), True])
def test_a_deadline_is_a_number(seconds):
    with pytest.raises(bgpy.ConfigError, match="number of seconds"):
        bgpy.deadline(seconds)


def test_calls_of_a_task_have_no_more_time_than_it_has(serve, start):
    def inner(client_socket, state, args):
        time.sleep(LIMIT_S)

    def outer(client_socket, state, args):
        try:
            bgpy.Client("127.0.0.1", args).call(None)
        except bgpy.CallTimeout:
            state["notes"] = "inner timed out"

    far = serve(inner)
    near = serve(outer)
    started = time.monotonic()
    with bgpy.deadline(0.3), pytest.raises((CallTimeout, NoResponse)):
        near.call(far.port)
    assert time.monotonic() - started < LIMIT_S / 2


def test_servers_that_wait_for_each_other(serve):
    def ask(client_socket, state, args):
        ports = args["ports"]
        if not ports:
            respond(client_socket, "end")
            return
        try:
            answer = bgpy.Client("127.0.0.1", ports[0]).call({"ports": ports[1:]}, timeout=LIMIT_S)
        except bgpy.WouldDeadlock as error:
            answer = f"refused: {error}"
        respond(client_socket, answer)

    a, b, c = serve(ask), serve(ask), serve(ask)
    assert a.call({"ports": [b.port, c.port]}) == "end"
    assert "refused" in a.call({"ports": [b.port, a.port]})
    assert "refused" in a.call({"ports": [b.port, c.port, b.port]})
    # Afterwards all of them go on.
    assert a.call({"ports": [b.port]}) == "end"


def test_a_server_may_be_told_something_while_it_waits(serve):
    def ask(client_socket, state, args):
        if isinstance(args, str):
            state["told"] = args
            respond(client_socket, args)
        elif args is None:
            respond(client_socket, state.get("told"))
        else:
            mine, other = args
            if other:
                bgpy.Client("127.0.0.1", other).call((mine, None), timeout=LIMIT_S)
            else:
                bgpy.Client("127.0.0.1", mine).execute("a word", timeout=LIMIT_S)
            respond(client_socket, "well")

    a, b = serve(ask), serve(ask)
    assert a.call((a.port, b.port)) == "well"
    assert a.call(None) == "a word"
