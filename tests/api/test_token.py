"""Only who knows the token gets in, and the token is nowhere to be seen."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bgpy import AuthError, Client, ConfigError, Server, respond, token_create

HOST = "127.0.0.1"
ANYWHERE = "0.0.0.0"


def echo(client_socket, state, args):
    respond(client_socket, args)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Return a function after which this process finds no server: as if on another machine."""

    def leave():
        monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))

    return leave


@pytest.fixture(params=["same user", "elsewhere"])
def approach(request, elsewhere):
    """Return a function that makes the next clients come in by the Unix socket, or by TCP."""
    return elsewhere if request.param == "elsewhere" else lambda: None


@pytest.mark.parametrize("token", [token_create(), "chosen by a person"], ids=["strong", "weak"])
def test_the_right_token_gets_in_and_a_wrong_one_does_not(start, approach, token):
    server = start(token=token)
    approach()
    Client(HOST, server.port, token=token).ping()
    for wrong in (token_create(), "guessed", token + "x", token[:-1], ""):
        with pytest.raises(AuthError, match=f"{HOST}:{server.port} did not accept the token"):
            Client(HOST, server.port, token=wrong).call({})
    assert Client(HOST, server.port, token=token).status()["clients"] <= 2


def test_auth_error_is_a_permission_error(start):
    with pytest.raises(PermissionError):
        Client(HOST, start().port, token="guessed").ping()


def test_a_client_of_the_same_user_finds_the_token(start):
    for options in ({}, {"token": token_create()}, {"token": "chosen by a person"}):
        Client(HOST, start(**options).port).ping()


def test_a_client_from_elsewhere_needs_the_token(start, elsewhere):
    server = start()
    elsewhere()
    with pytest.raises(AuthError, match="token"):
        Client(HOST, server.port).ping()


def test_a_made_up_token_is_another_each_time(start, runtime):
    start()
    start()
    tokens = {
        path.read_text().split('"token": "')[1].split('"')[0] for path in runtime.glob("*.json")
    }
    assert len(tokens) == 2
    assert all(len(token) >= 43 for token in tokens)


def test_the_token_is_nowhere_to_be_seen(start, elsewhere, tmp_path, capfd):
    token = token_create()
    log = tmp_path / "server.log"
    server = start(token=token, log_file=log, log_level="DEBUG")
    Client(HOST, server.port).initialize(dict, echo, echo)
    elsewhere()
    client = Client(HOST, server.port, token=token, log_level="DEBUG", log_file=tmp_path / "c.log")
    assert client.call("in") == "in"
    with pytest.raises(AuthError) as caught:
        Client(HOST, server.port, token=token + "x").ping()
    process = Path(f"/proc/{server.pid}")
    places = {
        "arguments": (process / "cmdline").read_text(),
        "environment": (process / "environ").read_text(),
        "log": log.read_text(),
        "log of the client": (tmp_path / "c.log").read_text(),
        "repr of the server": repr(server),
        "repr of the client": repr(client),
        "error": str(caught.value),
        "output": "".join(capfd.readouterr()),
    }
    assert [place for place, text in places.items() if token in text] == []
    assert "BGPY_TOKEN" not in os.environ


def test_a_task_finds_no_token_in_its_environment(serve):
    client = serve(
        lambda client_socket, state, args: respond(client_socket, dict(os.environ)),
        token=token_create(),
    )
    assert "BGPY_TOKEN" not in client.call({})


def test_what_the_registry_holds_is_private(start, runtime):
    start()
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    (entry,) = runtime.glob("*.json")
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert sorted(path.suffix for path in runtime.iterdir()) == [".json", ".log", ".sock"]


def test_a_registry_that_others_may_enter_is_refused(runtime):
    runtime.chmod(0o755)
    with pytest.raises(Exception, match="chmod 700"):
        Server(HOST, 0).run_background()


def test_a_guessable_token_is_refused_where_others_reach_the_server(start):
    for token in ("hunter2", token_create(31)):
        with pytest.raises(ConfigError, match="can be guessed"):
            Server(ANYWHERE, 0, token=token).run_background()
        server = start(host=ANYWHERE, token=token, allow_weak_token=True)
        Client(HOST, server.port, token=token).ping()


def test_a_guessable_token_of_the_environment_is_refused_too(monkeypatch):
    monkeypatch.setenv("BGPY_TOKEN", "hunter2")
    with pytest.raises(ConfigError, match="can be guessed"):
        Server(ANYWHERE, 0).run_background()


def test_a_created_token_is_taken_where_others_reach_the_server(start):
    token = token_create()
    server = start(host=ANYWHERE, token=token)
    Client(HOST, server.port, token=token).ping()
    assert "other machines need the token that you set" in server.log_file.read_text()


def test_a_made_up_token_protects_where_others_reach_the_server(start, elsewhere, runtime):
    server = start(host=ANYWHERE)
    (entry,) = runtime.glob("*.json")
    assert f"other machines need the token which is in {entry}" in server.log_file.read_text()
    Client(HOST, server.port).ping()
    elsewhere()
    with pytest.raises(AuthError):
        Client(HOST, server.port).ping()


def test_without_authentication_nobody_else_may_reach_the_server(start, approach):
    with pytest.raises(ConfigError, match="without authentication"):
        Server(ANYWHERE, 0, auth=False).run_background()
    server = start(auth=False)
    assert "no authentication" in server.log_file.read_text()
    approach()
    Client(HOST, server.port, auth=False).ping()


def test_an_explicit_token_beats_the_environment_on_both_sides(start, approach, monkeypatch):
    monkeypatch.setenv("BGPY_TOKEN", "stale")
    token = token_create()
    server = start(token=token)
    approach()
    Client(HOST, server.port, token=token).ping()
    with pytest.raises(AuthError):
        Client(HOST, server.port, token="stale").ping()


def test_a_stale_token_of_the_environment_locks_no_local_client_out(start, monkeypatch):
    server = start()
    monkeypatch.setenv("BGPY_TOKEN", "stale")
    Client(HOST, server.port).ping()


def test_a_stale_token_of_the_environment_locks_a_client_from_elsewhere_out(
    start, elsewhere, monkeypatch
):
    server = start()
    elsewhere()
    monkeypatch.setenv("BGPY_TOKEN", "stale")
    with pytest.raises(AuthError):
        Client(HOST, server.port).ping()


@pytest.mark.parametrize("token", [token_create(), "chosen by a person"], ids=["strong", "weak"])
def test_the_environment_gives_the_token_to_both_sides(start, elsewhere, monkeypatch, token):
    monkeypatch.setenv("BGPY_TOKEN", token)
    server = start()
    elsewhere()
    Client(HOST, server.port).ping()
    monkeypatch.delenv("BGPY_TOKEN")
    Client(HOST, server.port, token=token).ping()
    with pytest.raises(AuthError):
        Client(HOST, server.port).ping()
    assert "BGPY_TOKEN" not in os.environ


def test_an_empty_token_of_the_environment_is_none(start, monkeypatch):
    monkeypatch.setenv("BGPY_TOKEN", "")
    server = start()
    Client(HOST, server.port).ping()
    with pytest.raises(AuthError):
        Client(HOST, server.port, token="").ping()


@pytest.mark.parametrize("length", [1, 2, 3, 31, 32, 64, 1024])
def test_created_tokens_are_random_and_safe_in_urls(length):
    tokens = {token_create(length) for _ in range(5)}
    assert len(tokens) == 5 or length == 1
    assert all(len(token) == -(-length * 4 // 3) for token in tokens)
    assert all(
        set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        for token in tokens
    )


@pytest.mark.parametrize("length", [0, 1025])
def test_a_token_of_no_useful_length_is_refused(length):
    with pytest.raises(ConfigError, match=str(length)):
        token_create(length)
