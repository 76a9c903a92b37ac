"""Calls, their responses and their failures."""

from __future__ import annotations

import pytest

from bgpy import NoResponse, RemoteError, respond


def echo(client_socket, state, args):
    respond(client_socket, args)
    return state


def test_a_call_returns_the_response(serve):
    client = serve(echo)
    assert client.call({"x": 1}) == {"x": 1}


def test_no_response_is_told_at_once(serve):
    client = serve(lambda client_socket, state, args: state)
    with pytest.raises(NoResponse, match="respond"):
        client.call({})


def test_what_a_task_raises_arrives(serve):
    def fail(client_socket, state, args):
        raise KeyError("weights")

    client = serve(fail)
    with pytest.raises(RemoteError, match="KeyError: 'weights'") as caught:
        client.call({})
    assert isinstance(caught.value.__cause__, KeyError)
    assert "in fail" in caught.value.remote_traceback
