"""A server that ends by itself when nobody calls it."""

from __future__ import annotations

import time

import pytest

from bgpy import Client, ConfigError, NotRunning, Server, connect, servers

HOST = "127.0.0.1"


def test_it_ends_through_exit_task(serve, tmp_path):
    left = tmp_path / "left"
    client = serve(lambda *_: None, dict, lambda *_: left.touch(), idle_timeout=0.3, name="a")
    while servers():
        pass
    with pytest.raises(NotRunning):
        connect("a")
    assert left.exists()
    (info,) = servers(ended=True)
    assert (info.state, info.reason) == ("EXITED", None)
    assert "no call for 0.3s (idle_timeout): ending" in info.log_file.read_text()
    client.close()


def test_calls_keep_it_and_questions_do_not(start):
    server = start(idle_timeout=1.0)
    client = Client(HOST, server.port)
    began = time.monotonic()
    client.initialize(dict, lambda caller, state, args: time.sleep(args), lambda *_: None)
    client.execute(0.4)
    client.execute(1.2)
    server.wait(30)
    # The clock began anew when the last call had ended, whatever was asked meanwhile.
    assert time.monotonic() - began >= 0.4 + 1.2 + 1.0


def test_also_without_tasks(start):
    assert start(idle_timeout=0.1).wait(30) == 0


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_what_is_no_time(seconds):
    with pytest.raises(ConfigError):
        Server(idle_timeout=seconds)
