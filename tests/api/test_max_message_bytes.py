"""The receiver decides how long a message may be."""

from __future__ import annotations

import pytest

from bgpy import Client, ConfigError, RemoteError, SerializationError, respond

HOST = "127.0.0.1"
LIMIT = 1 << 16


def exec_task(client_socket, state, args):
    if args == "raise":
        raise ValueError("x" * (2 * LIMIT), b"x" * (2 * LIMIT))
    respond(client_socket, args if isinstance(args, bytes) else b"y" * args)


def started(start, *, server=None, client=None):
    client = Client(HOST, start(max_message_bytes=server).port, max_message_bytes=client)
    client.initialize(dict, exec_task, lambda *_: None)
    return client


def test_a_longer_argument_is_not_sent_and_the_connection_lives(start):
    client = started(start, server=LIMIT)
    clients = client.status()["clients"]
    for call in (client.call, client.execute):
        with pytest.raises(SerializationError, match=f"at most {LIMIT}; its max_message_bytes"):
            call(b"x" * LIMIT)
    assert client.call(b"x" * (LIMIT - 16)) == b"x" * (LIMIT - 16)
    # The answer comes before the end of its call is counted.
    while (status := client.status())["calls"] < 1:
        pass
    assert (status["clients"], status["calls"]) == (clients, 1)


def test_buffers_count_as_well(start):
    numpy = pytest.importorskip("numpy")
    client = started(start, server=LIMIT)
    with pytest.raises(SerializationError, match=f"accepts at most {LIMIT}"):
        client.call(numpy.zeros(LIMIT, dtype="u1"))


def test_a_longer_response_fails_its_task_and_the_server_lives(start):
    client = started(start, client=LIMIT)
    with pytest.raises(RemoteError, match=f"accepts at most {LIMIT}") as caught:
        client.call(LIMIT)
    assert caught.value.exception_type == "bgpy.errors.SerializationError"
    assert client.call(10) == b"y" * 10


def test_a_failure_is_told_as_far_as_it_fits(start):
    client = started(start, client=LIMIT)
    with pytest.raises(RemoteError, match="(?s)ValueError: .*left out") as caught:
        client.call("raise")
    assert caught.value.exception is None
    assert "ValueError" in caught.value.remote_traceback
    assert client.call(10) == b"y" * 10


@pytest.mark.parametrize("value", [0, 4095, (1 << 40) + 1])
def test_a_limit_that_cannot_be_is_refused(start, value):
    with pytest.raises(ConfigError, match=f"max_message_bytes={value} is not between 4096 and"):
        Client(HOST, 1, max_message_bytes=value)
    with pytest.raises(ConfigError, match=f"max_message_bytes={value} is not between 4096 and"):
        start(max_message_bytes=value)
