"""What breakpoint() does in a server, and in what it starts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bgpy import Client, RemoteError, respond


def stop(client_socket, state, args):
    breakpoint()
    respond(client_socket, "went on")


def name_of_hook(client_socket, state, args):
    import pdb
    import sys

    respond(client_socket, [sys.breakpointhook is sys.__breakpointhook__, pdb.set_trace.__module__])


def fork_and_look(client_socket, state, args):
    import os
    import sys

    reading, writing = os.pipe()
    if os.fork() == 0:
        is_own = sys.breakpointhook is sys.__breakpointhook__
        import faulthandler

        # There is no handler any more that could be removed.
        removed = any(faulthandler.unregister(number) for number in range(34, 65))
        os.write(writing, repr((is_own, removed)).encode())
        os._exit(0)
    os.wait()
    respond(client_socket, os.read(reading, 100).decode())


def tell_streams(client_socket, state, args):
    import sys

    names = [type(getattr(sys, name)).__name__ for name in ("stdin", "stdout", "stderr")]
    respond(client_socket, [*names, sys.displayhook is sys.__displayhook__])


def attach(target, given):
    """Attach to a server, and send it lines."""
    command = [sys.executable, "-m", "bgpy", "attach", target]
    return subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=30, check=True
    ).stdout


def test_it_is_disabled_where_the_user_says_so(serve, monkeypatch):
    monkeypatch.setenv("PYTHONBREAKPOINT", "0")
    assert serve(stop).call(1, timeout=30) == "went on"


def test_a_hook_of_the_users_is_called(serve, monkeypatch):
    monkeypatch.setenv("PYTHONBREAKPOINT", "builtins.len")
    with pytest.raises(RemoteError, match="len"):
        serve(stop).call(1, timeout=30)


def test_a_server_has_a_hook_of_its_own(serve):
    assert serve(name_of_hook).call(1) == [False, "bgpy._debug.hooks"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_forked_child_has_nothing_of_the_debugger(serve):
    assert serve(fork_and_look).call(1) == "(True, False)"


def test_a_second_signal_ends_a_task_that_waits(start):
    server = start()
    log = Path(server.log_file)
    client = Client("127.0.0.1", server.port)
    client.initialize(dict, stop, lambda *_: None)
    client.execute(1)
    while "breakpoint in stop at test_breakpoint.py" not in log.read_text():
        pass
    os.kill(server.pid, signal.SIGTERM)
    while "stop requested" not in log.read_text():
        pass
    os.kill(server.pid, signal.SIGTERM)
    server.wait(20)
    # The signal may come before the debugger reads.
    assert re.search("exec_task failed .*(BdbQuit|KeyboardInterrupt)", log.read_text())


def test_streams_are_replaced_only_while_there_is_a_session(start):
    server = start()
    target = f"127.0.0.1:{server.port}"
    client = Client("127.0.0.1", server.port)
    client.initialize(dict, tell_streams, lambda *_: None)
    before = client.call(1)
    assert before == ["TextIOWrapper"] * 3 + [True]
    script = f"import bgpy\nbgpy.Client('127.0.0.1', {server.port}).call(1)\n"
    assert attach(target, script) == "['Routed', 'Routed', 'Routed', False]\n"
    # Its thread has to read that the client has left.
    while client.call(1) != before:
        pass
