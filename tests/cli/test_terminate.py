"""`bgpy terminate`: ends a server, and tells how that went by its exit code."""

from __future__ import annotations

import signal
import socket
import threading

import pytest

from bgpy import Client, token_create

from .commands import HOST, LIMIT_S


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Return a function after which this user finds no server: as if on another machine."""
    return lambda: monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))


@pytest.fixture
def free_port():
    with socket.create_server((HOST, 0)) as taken:
        return taken.getsockname()[1]


def test_it_ends_a_server_and_waits_for_its_end(each_form, start, tmp_path):
    server = start()
    left = tmp_path / "left"
    Client(HOST, server.port).initialize(dict, print, lambda *_: left.touch())
    code, data, words = each_form.run("terminate", HOST, server.port)
    assert (code, data, words) == (0, "", f"Terminated {HOST}:{server.port}.\n")
    assert left.exists()
    assert server.wait(LIMIT_S) == 0


def test_it_ends_a_server_in_the_foreground(each_form):
    serving = each_form.serve()
    assert each_form.run("terminate", HOST, serving.port)[0] == 0
    assert serving.end()[:2] == (0, "")


def test_nobody_is_there(each_form, free_port):
    code, data, words = each_form.run("terminate", HOST, free_port)
    assert (code, data) == (3, "")
    assert f"no server listens on {HOST}:{free_port}" in words


def test_a_second_one_finds_nobody(commands, start):
    port = start().port
    assert [commands.run("terminate", HOST, port)[0] for _ in range(2)] == [0, 3]


def test_the_token_of_the_environment(commands, start, elsewhere, monkeypatch):
    token = token_create()
    server = start(token=token)
    elsewhere()
    assert commands.run("terminate", HOST, server.port)[0] == 5
    monkeypatch.setenv("BGPY_TOKEN", "wrong")
    code, data, words = commands.run("terminate", HOST, server.port)
    assert (code, data) == (5, "")
    assert "did not accept the token" in words
    monkeypatch.setenv("BGPY_TOKEN", token)
    assert commands.run("terminate", HOST, server.port)[0] == 0
    assert server.wait(LIMIT_S) == 0


@pytest.mark.parametrize("option", ["-t", "--token"])
def test_the_token_from_a_pipe(commands, start, elsewhere, option):
    server = start(token="chosen by a person")
    elsewhere()
    arguments = ("terminate", HOST, server.port, option)
    assert commands.run(*arguments, given="guessed\n")[0] == 5
    assert commands.run(*arguments, given="chosen by a person\n")[0] == 0


def test_an_explicit_token_beats_a_stale_one_of_the_environment(
    commands, start, elsewhere, monkeypatch
):
    server = start(token="chosen by a person")
    elsewhere()
    monkeypatch.setenv("BGPY_TOKEN", "stale")
    code, _, words = commands.run(
        "terminate", HOST, server.port, "-t", given="chosen by a person\n"
    )
    assert (code, "stale" in words) == (0, False)


def test_a_stale_token_of_the_environment_does_not_matter_here(commands, start, monkeypatch):
    server = start()
    monkeypatch.setenv("BGPY_TOKEN", "stale")
    assert commands.run("terminate", HOST, server.port)[0] == 0


def test_a_server_that_takes_its_time(commands, serve, gate):
    client = serve(lambda *_: gate.enter())
    client.execute({})
    gate.wait_entered()
    code, data, words = commands.run("terminate", HOST, client.port, "--timeout", 0.2)
    assert (code, data) == (4, "")
    assert "has not ended within 0.2s" in words
    assert client.status()["state"] == "STOPPING"
    gate.open()


def test_a_failing_exit_task(commands, start):
    def fail(client_socket, state, args):
        raise OSError("disk full")

    server = start()
    Client(HOST, server.port).initialize(dict, print, fail)
    code, data, words = commands.run("terminate", HOST, server.port)
    assert (code, data) == (1, "")
    assert "disk full" in words
    assert server.wait(LIMIT_S) == 1


def test_something_that_is_no_server(commands):
    with socket.create_server((HOST, 0)) as listener:

        def answer():
            with listener.accept()[0] as connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        code, data, words = commands.run("terminate", HOST, listener.getsockname()[1])
        thread.join()
    assert (code, data) == (6, "")
    assert words.startswith("error: ")


def test_something_that_is_silent(commands):
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        assert commands.run("terminate", HOST, port, "--timeout", 0.2)[0] == 4


def test_ctrl_c(each_form, serve, gate):
    client = serve(lambda *_: gate.enter())
    client.execute({})
    gate.wait_entered()
    process = each_form.spawn("terminate", HOST, client.port)
    while client.status()["state"] != "STOPPING":
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    data, words = process.communicate(timeout=LIMIT_S)
    # The program dies of the signal, which a shell tells as 130 as well.
    assert process.returncode in (130, -signal.SIGINT)
    assert (data, "Traceback" in words) == ("", False)
    gate.open()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([HOST], "<PORT>"),
        ([HOST, 0], "0"),
        ([HOST, 1, "--timeout", "soon"], "soon"),
        ([HOST, 1, "-l", "LOUD"], "LOUD"),
    ],
    ids=["no-port", "zero", "timeout", "level"],
)
def test_arguments_that_cannot_be(commands, arguments, named):
    code, data, words = commands.run("terminate", *arguments)
    assert (code, data) == (2, "")
    assert named in words


def test_a_log_file(commands, start, tmp_path):
    log = tmp_path / "terminate.log"
    server = start()
    arguments = ("terminate", HOST, server.port, "-f", log, "-l", "INFO")
    assert [commands.run(*arguments)[0] for _ in range(2)] == [0, 3]
    text = log.read_text()
    assert f"Terminated {HOST}:{server.port}" in text
    assert "no server listens" in text
