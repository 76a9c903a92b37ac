"""Which program, server, name or interpreter is at fault is said at once."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import struct
import sys
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler

import pytest

from bgpy import ConnectionLost, NotRunning, ProtocolMismatch, connect, token_create

from .commands import HOST

CRASHES = """
import os, signal

def init_task():
    return {}

def exec_task(client_socket, state, args):
    os.kill(os.getpid(), getattr(signal, args))

def exit_task(client_socket, state, args):
    pass
"""


class Quiet(SimpleHTTPRequestHandler):
    """A web server that logs nothing."""

    def log_message(self, *_):
        """Log nothing."""


class Lines(socketserver.StreamRequestHandler):
    """A server that objects to each line."""

    def handle(self):
        """Answer until the client leaves."""
        try:
            for line in self.rfile:
                self.wfile.write(b"-ERR unknown command " + line[:10])
        except ConnectionError:
            pass


class Silent(socketserver.BaseRequestHandler):
    """A server that says nothing, whatever it reads."""

    def handle(self):
        """Read until the client leaves."""
        try:
            while self.request.recv(1 << 10):
                pass
        except ConnectionError:
            pass


class Closing(socketserver.BaseRequestHandler):
    """A server that closes what it does not understand, as a database does."""

    def handle(self):
        """Read once."""
        self.request.recv(1 << 16)


class Resetting(socketserver.BaseRequestHandler):
    """A server that resets every connection, as a proxy without anything behind it does."""

    def handle(self):
        """Read nothing."""
        linger = struct.pack("ii", 1, 0)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.request.close()


@contextmanager
def serving(handler):
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server((HOST, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"{HOST}:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("handler", [Quiet, Lines, Closing, Resetting])
def test_a_program_that_waits_for_a_line_is_told_apart_each_time(each_form, handler):
    with serving(handler) as target:
        for environment in ({}, {"BGPY_TOKEN": token_create()}):
            for command in (["ping", target], ["call", target, "1"], ["stop", target]):
                # Long before the time limit of connecting.
                code, _, words = each_form.run(
                    *command, "--timeout", 8, env=os.environ | environment
                )
                assert (code, "another program listens there" in words) == (6, True), words


def test_a_program_that_says_nothing_is_no_firewall(commands):
    with serving(Silent) as target:
        code, _, words = commands.run("ping", target, "--timeout", 1.5)
    assert code == 4
    assert "something accepted the connection and sent nothing" in words
    assert "firewall" not in words


@pytest.mark.slow
def test_nor_is_it_taken_for_a_server_for_long(each_form):
    with serving(Silent) as target:
        code, _, words = each_form.run("ping", target)
        with pytest.raises(ProtocolMismatch, match="another program listens there"):
            connect(target)
    waiting, _, error = words.partition("\n")
    assert waiting == f"Waiting for an answer from {target}."
    assert (code, "another program listens there" in error) == (6, True), words


def test_a_server_that_is_late_is_no_other_program(start, commands, tmp_path, monkeypatch):
    server = start(token=token_create())
    monkeypatch.setenv("BGPY_TOKEN", server.token)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    target = f"{HOST}:{server.port}"
    os.kill(server.pid, signal.SIGSTOP)
    try:
        code, _, words = commands.run("ping", target, "--timeout", 1.5)
        late = commands.spawn("ping", target)
        with pytest.raises(Exception, match="timed out"):
            late.wait(1.2)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert (code, "another program listens" in words) == (4, False), words
    assert late.communicate(timeout=30)[1] in ("", f"Waiting for an answer from {target}.\n")
    assert late.returncode == 0


@pytest.mark.parametrize("name", ["SIGABRT", "SIGKILL"])
def test_a_crash_is_told_with_the_call_and_afterwards(each_form, tmp_path, name):
    (tmp_path / "crashes.py").write_text(CRASHES)
    number = int(getattr(signal, name))
    assert each_form.run("start", tmp_path / "crashes.py")[0] == 0
    code, _, words = each_form.run("call", "crashes", f'"{name}"')
    assert code == 1
    assert f"may or may not have run (signal {number} ({name}): " in words
    assert "may or may not have run" in words
    assert "`bgpy logs crashes`" in words
    code, _, words = each_form.run("call", "crashes", "1")
    assert code == 3
    assert f"it ended 0s ago (signal {number} ({name}): " in words or "it ended 1s ago" in words
    assert each_form.run("start", tmp_path / "crashes.py")[0] == 0
    client = connect("crashes")
    with pytest.raises(ConnectionLost, match=rf"\(signal {number} "):
        client.call(name)
    with pytest.raises(NotRunning, match="it ended .* ago"):
        client.call(name)


def test_a_server_that_was_stopped_ended_as_intended(camera):
    assert camera.run("stop", "camera")[0] == 0
    assert "ago (as intended); `bgpy logs camera`" in camera.run("call", "camera", "1")[2]


def test_a_name_with_a_slip_gets_a_suggestion(camera):
    for slip in ("camra", "Camera", "cmaera", "cameras"):
        code, _, words = camera.run("call", slip, "1")
        assert (code, "did you mean 'camera'?" in words) == (3, True), words
    assert "did you mean" not in camera.run("call", "printer", "1")[2]


@pytest.mark.parametrize("command", ["logs", "kill", "restart", "systemd"])
def test_so_does_one_of_a_server_that_may_have_ended(camera, command):
    assert camera.run("stop", "camera")[0] == 0
    code, _, words = camera.run(command, "camra")
    assert (code, "did you mean 'camera'?" in words) == (3, True), words
    assert "`bgpy ps -a` lists" in camera.run(command, "printer")[2]


def test_nobody_runs(each_form):
    assert each_form.run("stop", "--all") == (0, "", "No servers are running.\n")


@pytest.mark.parametrize("lack", ["import no_such_module", "from json import no_such_name"])
def test_an_import_that_fails_names_the_interpreter(each_form, tmp_path, lack):
    (tmp_path / "lacks.py").write_text(lack + "\n" + CRASHES)
    code, _, words = each_form.run("start", tmp_path / "lacks.py")
    assert code == 1
    directory = os.path.dirname(sys.executable)
    assert f"The interpreter was '{directory}{os.sep}python" in words
    assert "--python" in words


def test_the_active_environment_comes_before_that_of_the_command(commands, tasks, tmp_path):
    active = tmp_path / "active"
    packages = active / "lib" / "python3.11" / "site-packages" / "bgpy"
    packages.mkdir(parents=True)
    (active / "bin").mkdir()
    python = active / "bin" / "python3"
    # An interpreter that says who it is.
    python.write_text(f'#!/bin/sh\nexport WHICH=active\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    which = '{"variable": "WHICH"}'
    environment = {k: v for k, v in os.environ.items() if k != "BGPY_PYTHON"}
    environment["VIRTUAL_ENV"] = str(active)
    assert commands.run("start", tasks, env=environment)[0] == 0
    assert commands.run("call", "camera", which)[1] == '"active"\n'
    assert commands.run("stop", "camera")[0] == 0
    # Without bgpy in it, it cannot run servers.
    packages.rmdir()
    assert commands.run("start", tasks, env=environment)[0] == 0
    assert commands.run("call", "camera", which)[1] == "null\n"
    assert commands.run("stop", "camera")[0] == 0
