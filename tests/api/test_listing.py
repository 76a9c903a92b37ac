"""What notebooks and libraries for tables make of servers."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping

import pytest

from bgpy import Client, Server, connect, respond, servers
from bgpy import start as start_server


def echo(client_socket, state, args):
    respond(client_socket, args)


@pytest.fixture
def trainer():
    with start_server((dict, echo), name="trainer") as server:
        yield server


def test_a_server_is_a_row_of_plain_values(trainer):
    (info,) = servers()
    assert isinstance(info, Mapping)
    row = dict(info)
    assert list(row)[:4] == ["name", "state", "pid", "address"]
    assert (row["name"], row["state"], row["pid"]) == ("trainer", "READY", trainer.pid)
    assert row["log_file"] == str(trainer.log_file)
    assert (row["calls"], row["queue"]) == (info.status["calls"], info.status["queue"])
    assert {type(value) for value in row.values()} <= {str, int, float, type(None)}
    assert (len(info), list(info), list(info.keys())) == (len(row), list(row), list(row))
    assert list(info.items()) == list(zip(row, info.values(), strict=True))
    assert info["pid"] == info.get("pid") == info.pid
    assert ("pid" in info, "token" in info, info.get("token", 7)) == (True, False, 7)
    with pytest.raises(KeyError, match="token"):
        info["token"]
    match info:
        case {"name": name}:
            assert name == "trainer"


def test_a_server_that_has_ended_is_a_row_as_well(trainer):
    (running,) = servers()
    trainer.stop()
    (ended,) = servers(ended=True)
    assert list(ended) == list(running)
    assert (ended["state"], ended["exit_code"], ended["calls"]) == ("EXITED", 0, None)


def test_notebooks_show_servers_and_clients(trainer):
    client = connect("trainer")
    client.call(1)
    for html in (client._repr_html_(), trainer._repr_html_()):
        assert html.startswith("<table><tbody><tr><th>server</th><td>trainer</td></tr>")
        assert "<tr><th>state</th><td>READY</td></tr>" in html
        calls = client.status()["calls"]
        assert f"<tr><th>calls</th><td>{calls} completed, 0 queued</td></tr>" in html
        assert f"<tr><th>process</th><td>{trainer.pid}</td></tr>" in html
    assert f"<td>{trainer.log_file}</td>" in trainer._repr_html_()
    (info,) = servers()
    assert info._repr_html_() == servers()._repr_html_()
    assert f"<td>trainer</td><td>READY</td><td>{trainer.pid}</td>" in info._repr_html_()


def test_what_is_shown_of_servers_that_do_not_run(trainer):
    client = connect("trainer")
    trainer.stop()
    for html in (client._repr_html_(), trainer._repr_html_(), Client("nobody")._repr_html_()):
        assert "<tr><th>state</th><td>" in html
        assert "READY" not in html
    assert "<td>not started</td>" in Server()._repr_html_()
    assert "<td>not connected</td>" in Client("host.invalid", 5)._repr_html_()


def test_a_display_neither_waits_for_long_nor_shows_a_token():
    token = "a token of the tests that is long enough"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Client("127.0.0.1", silent.getsockname()[1], token=token)
        since = time.monotonic()
        html = client._repr_html_()
        assert time.monotonic() - since < 5
    assert "<th>state</th>" in html
    with start_server((dict, echo), name="secret", token=token) as server:
        shown = server._repr_html_() + connect("secret", token=token)._repr_html_()
    assert shown.count("READY") == 2
    assert token not in html + shown


def test_what_is_shown_is_escaped(tmp_path):
    odd = tmp_path / "<b>&'\".log"
    with start_server((dict, echo), log_file=odd) as server:
        html = server._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;&amp;&#x27;&quot;.log" in html
