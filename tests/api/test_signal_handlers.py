"""Python's signal handlers run with nothing of bgpy locked, on servers and in clients."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bgpy import Client, connect, respond

HOST = "127.0.0.1"
LIMIT_S = 30


def test_a_handler_that_takes_its_time_keeps_nobody_from_an_idle_server(serve, gates):
    handling, running = gates(), gates()

    def init():
        signal.signal(signal.SIGUSR1, lambda *_: handling.enter())
        return {}

    def run(client_socket, state, args):
        if args == "wait":
            running.enter()
        respond(client_socket, os.getpid())

    client = serve(run, init)
    pid = client.call({})
    for _ in range(2):
        os.kill(pid, signal.SIGUSR1)
        handling.wait_entered()
        # Old clients and new ones are heard, and calls accepted.
        assert client.status(timeout=LIMIT_S)["pid"] == pid
        with Client(HOST, client.port) as other:
            assert other.execute({}, timeout=LIMIT_S) == {"message": "Received 'EXEC'"}
            assert other.status(timeout=LIMIT_S)["queue"] == 1
        handling.open()
        assert client.call({}, timeout=LIMIT_S) == pid
    # While a task runs it was like that before.
    client.execute("wait")
    running.wait_entered()
    os.kill(pid, signal.SIGUSR1)
    running.open()
    handling.wait_entered()
    assert client.status(timeout=LIMIT_S)["pid"] == pid
    handling.open()
    assert client.call({}, timeout=LIMIT_S) == pid


def test_a_handler_of_an_idle_server_may_call_that_server(serve, gate):
    def init():
        def ask(*_):
            with Client(HOST, state["port"]) as client:
                state["seen"] = client.status(timeout=LIMIT_S)["state"]
            gate.tell()

        state = {}
        signal.signal(signal.SIGUSR1, ask)
        return state

    def run(client_socket, state, args):
        state["port"] = args
        respond(client_socket, (os.getpid(), state.get("seen")))

    client = serve(run, init)
    pid, _ = client.call(client.port)
    # The task has answered, but may not have ended.
    while client.status()["state"] != "READY":
        pass
    os.kill(pid, signal.SIGUSR1)
    gate.wait_entered()
    assert client.call(client.port, timeout=LIMIT_S) == (pid, "READY")


def test_a_handler_that_ends_an_idle_server_does(start):
    def init():
        signal.signal(signal.SIGUSR1, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        return {}

    server = start()
    client = Client(HOST, server.port)
    client.initialize(init, lambda *_: None, lambda *_: None)
    os.kill(server.pid, signal.SIGUSR1)
    assert server.wait(LIMIT_S) == 0


SCRIPT = """
import os, signal, sys, threading
from bgpy import BgpyError, Client

client = Client("127.0.0.1", int(sys.argv[1]))
other = Client("127.0.0.1", int(sys.argv[1]))

def ring(*_):
    try:
        print("in the handler:", ACT, flush=True)
    except BgpyError as error:
        print("in the handler:", type(error).__name__, error, flush=True)

signal.signal(signal.SIGUSR1, ring)
"""

ACTS = {
    "status": ('client.status(timeout=20)["state"]', "BUSY"),
    "ping without a limit": ("client.ping()", "None"),
    "execute": ('client.execute("later", timeout=20)["message"]', "Received 'EXEC'"),
    "another client": ('other.status(timeout=20)["state"]', "BUSY"),
    "large": ("client.execute(bytes(30 << 20), timeout=20)['message']", "Received 'EXEC'"),
}


@pytest.fixture
def waiting(serve, gate):
    """Return a client of a server whose task waits at the gate when told to."""

    def run(client_socket, state, args):
        if args == "wait":
            gate.enter()
        respond(client_socket, len(args))

    return serve(run)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("thread", [False, True], ids=["alone", "beside a thread"])
def test_a_handler_may_use_the_client_that_waits(waiting, gate, scripts, act, thread):
    """Also when it is another thread that reads for both."""
    code, answer = ACTS[act]
    beside = """
thread = threading.Thread(target=client.call, args=("wait",))
thread.start()
"""
    script = scripts.spawn(
        SCRIPT.replace("ACT", code)
        + (beside if thread else "")
        + 'print("call:", client.call("wait"))\n',
        waiting.port,
    )
    gate.wait_entered()
    if thread:
        # The second call waits behind the first.
        while waiting.status()["queue"] < 1:
            pass
    script.send_signal(signal.SIGUSR1)
    assert script.stdout.readline() == f"in the handler: {answer}\n"
    gate.open()
    gate.open()
    printed, errors = script.communicate(timeout=LIMIT_S)
    assert (printed, errors) == ("call: 4\n", "")


def test_a_handler_may_call_by_the_client_that_waits(waiting, gate, scripts):
    """Its call comes behind the one that it has interrupted, whose answer it takes in as well."""
    script = scripts.spawn(
        SCRIPT.replace("ACT", 'client.call("after", timeout=20)')
        + 'print("call:", client.call("wait"), client.call("x"))\n',
        waiting.port,
    )
    gate.wait_entered()
    script.send_signal(signal.SIGUSR1)
    while waiting.status()["queue"] < 1:
        pass
    gate.open()
    printed, errors = script.communicate(timeout=LIMIT_S)
    assert (printed, errors) == ("in the handler: 5\ncall: 4 1\n", "")


def test_a_handler_may_close_the_client_that_waits(waiting, gate, scripts):
    script = scripts.spawn(
        SCRIPT.replace("ACT", "client.close()")
        + """
try:
    client.call("wait")
except BgpyError as error:
    print("call:", type(error).__name__)
print(client.status()["state"])
""",
        waiting.port,
    )
    gate.wait_entered()
    script.send_signal(signal.SIGUSR1)
    printed, errors = script.communicate(timeout=LIMIT_S)
    assert errors == ""
    assert printed == "in the handler: None\ncall: ConnectionLost\nBUSY\n"
    gate.open()


@pytest.mark.parametrize("act", ["status", "close", "large"])
def test_a_handler_may_use_the_client_that_is_writing(scripts, connect, act):
    """Half a message is out, which nothing can overtake: the handler gets another connection."""

    def run(client_socket, state, args):
        respond(client_socket, os.getpid() if args == "pid" else len(args))

    client = connect(run)
    code, answer = ACTS.get(act, ("client.close()", "None"))
    # A server that stands still takes nothing, so that the write waits for it, until the handler,
    # which needs it as well, lets it go on.
    script = scripts.spawn(
        f"""
        import os, signal, sys, threading, time
        from bgpy import BgpyError, Client

        pid = int(sys.argv[2])
        client = Client("127.0.0.1", int(sys.argv[1]), token={client.token!r})
        client.ping()
        main = threading.get_ident()

        def ring(*_):
            os.kill(pid, signal.SIGCONT)
            print("in the handler:", {code}, flush=True)

        def interrupt():
            # The message is larger than what the system takes for a process that stands still.
            time.sleep(0.5)
            signal.pthread_kill(main, signal.SIGUSR1)

        signal.signal(signal.SIGUSR1, ring)
        os.kill(pid, signal.SIGSTOP)
        threading.Thread(target=interrupt).start()
        try:
            print("call:", client.call(bytes(50 << 20), timeout=30))
        except BgpyError as error:
            print("call:", type(error).__name__)
        print("next:", client.call("next"))
        """,
        client.port,
        client.call("pid"),
    )
    printed, errors = script.communicate(timeout=LIMIT_S)
    assert errors == ""
    handler, call, following = printed.splitlines()
    assert handler == f"in the handler: {answer.replace('BUSY', 'READY')}"
    assert call == ("call: ConnectionLost" if act == "close" else f"call: {50 << 20}")
    assert following == "next: 4"


def test_a_child_that_a_handler_forks_leaves_the_call_to_its_parent(waiting, gate, scripts):
    script = scripts.spawn(
        """
        import os, signal, sys
        from bgpy import Client, ConnectionLost

        client = Client("127.0.0.1", int(sys.argv[1]))
        children = []
        signal.signal(signal.SIGUSR1, lambda *_: children.append(os.fork()))
        try:
            answer = client.call("wait")
        except ConnectionLost as error:
            assert children == [0], children
            assert "forked" in str(error), error
            # And it may call on its own.
            print(client.status(timeout=20)["state"], flush=True)
            os._exit(0)
        print(answer, os.waitpid(children[0], 0)[1], flush=True)
        """,
        waiting.port,
    )
    gate.wait_entered()
    script.send_signal(signal.SIGUSR1)
    assert script.stdout.readline() == "BUSY\n"
    gate.open()
    printed, errors = script.communicate(timeout=LIMIT_S)
    assert (printed, errors) == ("4 0\n", "")


@pytest.mark.parametrize(
    "what", ['client.call("wait")', "flood()", "client.call(bytes(100 << 20))"]
)
def test_daemon_threads_that_call_let_the_interpreter_end_in_silence(waiting, scripts, gate, what):
    gate.open()
    script = scripts.spawn(
        f"""
        import sys, threading, time
        from bgpy import Client

        client = Client("127.0.0.1", int(sys.argv[1]))
        client.ping()

        def flood():
            while True:
                client.call("x")

        for _ in range(3):
            threading.Thread(target=lambda: {what}, daemon=True).start()

        class Late:
            # The interpreter is half gone when this runs.
            def __del__(self, sleep=time.sleep):
                sleep(0.6)

        sys.late = Late()
        """,
        waiting.port,
    )
    printed, errors = script.communicate(timeout=LIMIT_S)
    assert (script.returncode, printed, errors) == (0, "", "")
    gate.open()


def test_a_client_may_be_used_while_the_interpreter_ends(waiting, scripts):
    script = scripts.spawn(
        """
        import os, sys
        from bgpy import Client

        class Late:
            def __init__(self, client):
                self.client = client

            def __del__(self, write=os.write):
                write(1, b"%d" % self.client.call("late", timeout=20))

        sys.late = Late(Client("127.0.0.1", int(sys.argv[1])))
        """,
        waiting.port,
    )
    printed, errors = script.communicate(timeout=LIMIT_S)
    assert (script.returncode, printed, errors) == (0, "4", "")


EXITS = {
    "sys.exit(7)": 7,
    "sys.exit()": 0,
    "sys.exit('no film')": 1,
    "raise SystemExit(3)": 3,
    "raise KeyboardInterrupt": 0,
    "signal.default_int_handler(2, None)": 0,
}


def raising(act, place):
    """Return tasks whose handler raises, and that write down when they end."""

    def init():
        def ring(*_):
            exec(act, {"sys": __import__("sys"), "signal": signal})

        signal.signal(signal.SIGUSR1, ring)
        return {}

    def leave(client_socket, state, args):
        from pathlib import Path

        Path(place).write_text("left")

    return init, lambda client_socket, state, args: respond(client_socket, args), leave


@pytest.mark.parametrize("act", EXITS)
def test_a_handler_that_exits_ends_an_idle_server_in_good_order(start, tmp_path, act):
    """And a supervisor does not start it again, because it has ended of its own will."""
    for restart in ("never", "on-failure"):
        place = tmp_path / f"left {restart}"
        server = start(restart=restart)
        with Client(HOST, server.port) as client:
            client.initialize(*raising(act, str(place)))
            assert client.call(1) == 1
            while client.status()["state"] != "READY":
                pass
            os.kill(server.pid, signal.SIGUSR1)
            assert server.wait(LIMIT_S) == EXITS[act]
        assert place.read_text() == "left"
        if "no film" in act:
            assert "no film" in Path(server.log_file).read_text()


IN_A_SCRIPT = """
import signal, sys
from bgpy import Server

signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))
server = Server("127.0.0.1", 0, name="inside", init_file=sys.argv[1])
try:
    server.run()
finally:
    print("over", flush=True)
"""
TASKS = """
import os, signal, sys
from bgpy import respond

def init_task():
    if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))
    return {}

def exec_task(client_socket, state, args):
    respond(client_socket, os.getpid())

def exit_task(*_):
    print("left", flush=True)
"""


@pytest.mark.parametrize("how", ["script", "run"])
def test_a_script_and_a_command_end_with_its_code(tmp_path, how):
    tasks = tmp_path / "inside.py"
    tasks.write_text(TASKS)
    words = {
        "script": [sys.executable, "-c", IN_A_SCRIPT, tasks],
        "run": [str(Path(sys.executable).with_name("bgpy")), "run", tasks],
    }
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words[how], text=True, **pipes) as process:
        try:
            while "listens on" not in (line := process.stderr.readline()):
                assert line
            with connect("inside") as client:
                pid = client.call(1)
                while client.status()["state"] != "READY":
                    pass
            os.kill(pid, signal.SIGUSR1)
            data, told = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
    assert process.returncode == 7, told
    assert data.split() == (["left", "over"] if how == "script" else ["left"])


def test_what_a_handler_raises_otherwise_is_logged(start, tmp_path):
    server = start()
    log = Path(server.log_file)
    with Client(HOST, server.port) as client:
        client.initialize(*raising("raise ValueError('no film')", str(tmp_path / "left")))
        while client.status()["state"] != "READY":
            pass
        os.kill(server.pid, signal.SIGUSR1)
        while "ValueError: no film" not in log.read_text():
            time.sleep(0.01)
        assert client.call(1, timeout=LIMIT_S) == 1
    text = log.read_text()
    assert "ERROR" in text
    assert "a signal handler raised" in text
    assert "Traceback (most recent call last)" in text
    assert server.is_alive()
