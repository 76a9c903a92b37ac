"""A server has ended when its process is gone: everybody says so, and nobody before."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from support.processes import KILL, kill, supervisor_of

from bgpy import (
    CallTimeout,
    Client,
    NameTaken,
    NotRunning,
    Server,
    ServerStopping,
    connect,
    servers,
)

BGPY = str(Path(sys.executable).with_name("bgpy"))


def a_thread():
    import threading

    threading.Thread(target=threading.Event().wait, name="the\nleft thread").start()
    return {}


def a_child():
    import multiprocessing

    # A child that outlives what multiprocessing does to it.
    ready = multiprocessing.Event()
    child = multiprocessing.Process(target=_wait, args=(ready,), name="worker", daemon=True)
    child.start()
    ready.wait()
    return {"child": child}


def _wait(ready):
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready.set()
    signal.pause()


def an_exit_hook():
    import atexit
    import threading

    atexit.register(threading.Event().wait)
    return {}


def echo(client_socket, state, args):
    from bgpy import respond

    child = state.get("child")
    respond(client_socket, child and child.pid)


def leave(client_socket, state, args):
    pass


HELD = {
    a_thread: 'the thread "the\\nleft thread"',
    a_child: '("worker")',
    an_exit_hook: "exit hook",
}


def command(*words):
    done = subprocess.run([BGPY, *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(params=HELD, ids=lambda hold: hold.__name__)
def lingering(request, start):
    """Return a server that has ended while its process has not."""
    server = start(name="lingers")
    with Client("lingers") as client:
        client.initialize(request.param, echo, leave)
        child = client.call(0)
    pid = server.pid
    process = os.pidfd_open(pid)
    with pytest.raises(CallTimeout) as raised:
        server.stop(timeout=1)
    yield server, pid, process, HELD[request.param], str(raised.value)
    os.close(process)
    for left in filter(None, (pid, child)):
        with suppress(ProcessLookupError):
            os.kill(left, KILL)


def is_there(process):
    return not select.select([process], [], [], 0)[0]


def test_it_is_stopping_and_says_what_it_waits_for(lingering):
    server, pid, process, held_by, words = lingering
    assert is_there(process)
    assert held_by in words
    assert "\n" not in words
    (info,) = servers()
    assert (info.state, info.pid, info.exit_code) == ("STOPPING", pid, None)
    assert held_by in info.reason
    with pytest.raises(CallTimeout, match="has shut down, but its process"):
        server.wait(timeout=0.1)
    code, text = command("stop", "lingers", "--grace", "0.2")
    assert code == 4
    assert held_by in text
    assert "--force" in text
    code, text = command("wait", "lingers", "--for", "exit", "--timeout", "0.2")
    assert code == 4
    assert held_by in text
    code, text = command("doctor")
    assert code == 1
    assert f"kill {pid}" in text
    assert "STOPPING" in command("ps")[1]
    assert is_there(process)


def test_clients_and_commands_say_what_it_waits_for(lingering):
    server, pid, process, held_by, _ = lingering
    targets = ["lingers", f"127.0.0.1:{server.port}"]
    for target in targets:
        with pytest.raises(ServerStopping) as raised, Client(target) as client:
            client.call(1, timeout=20)
        with pytest.raises(ServerStopping):
            connect(target)
        told = [(3, str(raised.value))]
        for words in (["ping"], ["call", "1"], ["dump"], ["attach"]):
            told.append(command(words[0], target, *words[1:]))
        for code, text in told:
            assert code == 3, text
            assert f"{target} is stopping" in text, text
            assert f"process {pid}" in text, text
            assert held_by in text, text
            assert f"bgpy kill {target}" in text, text
    assert is_there(process)


def test_a_start_says_who_has_the_name(lingering, start):
    _, pid, process, held_by, _ = lingering
    for timeout in (0.5, 20):
        with pytest.raises(NameTaken) as raised:
            Server(name="lingers").run_background(timeout=timeout)
        assert f"(process {pid})" in str(raised.value)
        assert held_by in str(raised.value)
        assert "bgpy kill lingers" in str(raised.value)
    assert is_there(process)
    (info,) = servers()
    assert info.pid == pid


def test_it_can_be_killed(lingering):
    server, pid, process, held_by, _ = lingering
    assert command("kill", "lingers") == (0, f"Killed lingers (process {pid}).\n")
    assert not is_there(process)
    assert server.wait(30) == -9
    assert servers() == []
    (info,) = servers(ended=True)
    assert (info.state, info.exit_code) == ("FAILED", -9)
    assert "killed by `bgpy kill`" in info.reason
    assert held_by in info.reason or held_by == "exit hook"
    assert command("kill", "lingers")[0] == 3
    assert command("stop", "lingers")[0] == 3


def test_stop_with_force_kills_it(lingering):
    _, pid, process, _, _ = lingering
    code, text = command("stop", "lingers", "--grace", "0.1", "--force")
    assert (code, text) == (0, f"Killed lingers (process {pid}).\n")
    assert not is_there(process)


def test_sigterm_ends_it(lingering):
    server, pid, process, _, _ = lingering
    os.kill(pid, signal.SIGTERM)
    assert server.wait(30) == -signal.SIGTERM
    assert not is_there(process)
    (info,) = servers(ended=True)
    assert (info.state, info.exit_code) == ("FAILED", -signal.SIGTERM)


def test_one_that_ends_late_has_ended_well(start, gate):
    def init():
        import threading

        threading.Thread(target=gate.enter).start()
        return {}

    server = start(name="late")
    connect("late").initialize(init, echo, leave)
    with pytest.raises(CallTimeout, match="Thread-1"):
        server.stop(timeout=0.5)
    other = subprocess.Popen([BGPY, "wait", "late", "--for", "exit"])
    gate.open()
    assert other.wait(30) == 0
    assert server.wait(30) == 0
    (info,) = servers(ended=True)
    assert (info.state, info.reason, info.exit_code) == ("EXITED", None, 0)


def test_a_script_goes_on_after_its_server(tmp_path):
    script = (
        "import sys\nfrom bgpy import Server\nServer(name='inside').run()\n"
        "print('over', flush=True)\nsys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], text=True, **pipes) as process:
        assert "listens" in process.stderr.readline()
        server = Server(name="inside")
        server.stop(timeout=30)
        assert process.stdout.readline() == "over\n"
        assert process.poll() is None
        (info,) = servers(ended=True)
        assert (info.state, info.pid) == ("EXITED", process.pid)
        process.communicate("")


REAPED = """
import os, signal, sys, threading
from bgpy import CallTimeout, Client, Server

how, end = sys.argv[1:]
if how == "ignored":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
server = Server(name="mine")
server.run_background()
if how == "reaped":
    def reap():
        try:
            while True:
                os.waitpid(-1, 0)
        except ChildProcessError:
            pass
    threading.Thread(target=reap, daemon=True).start()
try:
    server.wait(timeout=0.1)
except CallTimeout:
    pass
pid = server.pid
if end == "stop":
    server.stop(timeout=30)
else:
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
codes = {server.wait(timeout=30) for _ in range(2)}
print(codes, os.path.exists(f"/proc/{pid}"))
"""


@pytest.mark.parametrize("how", ["ignored", "reaped", "neither"])
@pytest.mark.parametrize(("end", "code"), [("stop", 0), ("kill", -9)])
def test_somebody_else_has_waited_for_it(how, end, code):
    words = [sys.executable, "-c", REAPED, how, end]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"{{{code}}} False\n"


def test_a_server_that_outlives_its_supervisor_has_not_ended(start):
    server = start(name="alone")
    pid = server.pid
    kill(supervisor_of(pid))
    with pytest.raises(CallTimeout):
        server.wait(timeout=0.3)
    assert connect("alone").status()["pid"] == pid
    server.stop(timeout=30)
    assert server.wait(30) is None
    (info,) = servers(ended=True)
    assert info.state == "EXITED"


@pytest.mark.parametrize("answer", [False, True])
@pytest.mark.parametrize("by_name", [False, True])
def test_a_call_after_the_end_has_surely_not_run(start, by_name, answer):
    for _ in range(20):
        server = start(name="ends" if by_name else None)
        client = Client(server.target)
        client.initialize(dict, echo, echo)
        client.terminate({}, await_response=answer)
        for call in (client.call, client.execute):
            with pytest.raises((NotRunning, ServerStopping)):
                call({}, timeout=30)
        server.wait(30)
