"""A server outlives whoever started it, and holds nothing of theirs."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest
from support.processes import KILLED

from bgpy import Client, Server, respond

HOST = "127.0.0.1"
LIMIT_S = 20

START = """
import os
from bgpy import Client, Server, respond

def echo(client_socket, state, args):
    respond(client_socket, args)

def nothing(*_):
    return {}

server = Server("127.0.0.1", 0)
server.run_background()
Client("127.0.0.1", server.port).initialize(nothing, echo, nothing)
print(server.port, server.pid, flush=True)
"""


def answers(port):
    return Client(HOST, int(port)).call("here") == "here"


def test_a_server_outlives_the_script_that_started_it(scripts):
    # The run reads standard output and standard error to their ends, which come although the
    # server lives.
    port, _ = scripts.run(START).split()
    assert answers(port)


def test_a_server_outlives_a_killed_parent(scripts):
    parent = scripts.spawn(START + "input()", stdin=subprocess.PIPE)
    port, _ = parent.stdout.readline().split()
    parent.kill()
    assert parent.wait(LIMIT_S) == KILLED
    assert parent.stdout.read() == ""
    assert answers(port)


def test_a_server_outlives_the_session_of_its_parent(scripts):
    parent = scripts.spawn(START + "input()", stdin=subprocess.PIPE, start_new_session=True)
    port, pid = parent.stdout.readline().split()
    os.killpg(parent.pid, signal.SIGHUP)
    assert parent.wait(LIMIT_S) == -signal.SIGHUP
    assert answers(port)
    assert os.getsid(int(pid)) != os.getsid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has os.login_tty with a session")
def test_a_server_outlives_its_terminal(scripts):
    terminal, line = os.openpty()
    script = "import os, sys\nos.login_tty(int(sys.argv[1]))\n" + START + "input()"
    parent = scripts.spawn(script, line, pass_fds=[line])
    os.close(line)
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        port, pid = screen.readline().split()
        assert os.getsid(int(pid)) != os.getsid(0)
    # The last descriptor of the terminal is closed: it hangs up.
    assert parent.wait(LIMIT_S) == -signal.SIGHUP
    assert answers(port)


def test_an_inherited_pipe_is_closed_in_the_server(start):
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    server = start()
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], LIMIT_S)
        assert ready, "the server holds the pipe open"
        assert pipe.read() == b""
    assert server.is_alive()


def test_directory_and_environment_are_kept(serve, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("BGPY_TEST_MARK", "grüße")

    def surroundings(client_socket, state, args):
        respond(client_socket, (os.getcwd(), os.environ["BGPY_TEST_MARK"]))

    assert serve(surroundings).call({}) == (str(tmp_path / "here"), "grüße")


def test_a_file_of_the_directory_does_not_pass_for_a_module_of_python(start, tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')\n")
    monkeypatch.chdir(tmp_path)
    assert start().is_alive()


def test_the_umask_is_respected(serve, tmp_path):
    path = str(tmp_path / "made")
    before = os.umask(0o027)
    try:
        client = serve(lambda client_socket, state, args: open(path, "w").close())
    finally:
        os.umask(before)
    client.execute({})
    assert Server(HOST, client.port).stop() is None
    assert os.stat(path).st_mode & 0o777 == 0o640


def test_standard_input_is_at_its_end(serve):
    def read(client_socket, state, args):
        respond(client_socket, (sys.stdin.read(), os.read(0, 10)))

    assert serve(read).call({}) == ("", b"")


def test_what_tasks_print_is_in_the_log_at_once(start, tmp_path):
    def speak(client_socket, state, args):
        print("printed by a task")
        print("complained by a task", file=sys.stderr)
        subprocess.run(["echo", "said by a child"], check=True)
        respond(client_socket, args)

    log = tmp_path / "server.log"
    server = start(log_file=log)
    client = Client(HOST, server.port)
    client.initialize(dict, speak, print)
    client.call({})
    text = log.read_text()
    for words in ("printed by a task", "complained by a task", "said by a child"):
        assert f"{words}\n" in text


def test_a_log_without_a_name_lies_in_the_runtime_directory(start, runtime):
    server = start()
    assert server.log_file.parent == runtime
    assert f"listens on {HOST}:{server.port}" in server.log_file.read_text()


def test_a_relative_log_file_stays_where_it_was_meant(start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server = start(log_file="server.log")
    client = Client(HOST, server.port)

    def move(client_socket, state, args):
        os.chdir("/")
        print("from elsewhere", flush=True)
        respond(client_socket, args)

    client.initialize(dict, move, print)
    client.call({})
    assert server.log_file == tmp_path / "server.log"
    assert "from elsewhere" in (tmp_path / "server.log").read_text()
