"""A server that cannot watch its sockets any more ends and says why; a peer that goes ends none."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support.processes import stand_still

from bgpy import BgpyError, Client, respond, servers

HOST = "127.0.0.1"
LIMIT_S = 30
REASON = "cannot watch its sockets any more"


def close_all():
    """Close what a careless daemon closes, the sockets of its server included."""
    os.closerange(3, 1024)


def close_and_open_others(state):
    """Let other files have the numbers that the server's descriptors had."""
    os.closerange(3, 1024)
    state["files"] = [os.open(os.devnull, os.O_RDWR) for _ in range(40)]


def replace_pollers(state, which):
    """Put other pollers in the place of some of the server's."""
    import select

    pollers = numbers_of("eventpoll")[which]
    for number in pollers:
        os.close(number)
    state["pollers"] = [select.epoll() for _ in pollers]


def numbers_of(kind):
    """Return the numbers of all descriptors of a kind."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
    return sorted(number for number, target in found.items() if kind in target)


def close_listeners():
    """Close the sockets that the server listens on, and nothing else."""
    import socket

    for name in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(name))) as found:
                listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError:
            continue
        if listens:
            os.dup2(os.open(os.devnull, os.O_RDWR), int(name))


def run(client_socket, state, args):
    if args == "close":
        close_all()
    elif args == "close and open":
        close_and_open_others(state)
    elif args in POLLERS:
        replace_pollers(state, POLLERS[args])
    elif args == "replace while idle":
        threading.Timer(0.2, replace_pollers, [state, slice(None)]).start()
    elif args == "close and go on":
        close_all()
        time.sleep(1)
    elif args == "close while idle":
        threading.Timer(0.2, close_all).start()
    respond(client_socket, os.getpid())


POLLERS = {
    "replace": slice(None),
    "replace the lower": slice(1),
    "replace the higher": slice(1, None),
}
KINDS = ["close", "close and open", "close and go on", "close while idle", *POLLERS]
KINDS.append("replace while idle")


def gone(pid):
    """Wait until a process has ended; return the processor time that it took for that."""
    stat = Path(f"/proc/{pid}/stat")
    ticks = 0
    limit = time.monotonic() + LIMIT_S
    while time.monotonic() < limit:
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return ticks / os.sysconf("SC_CLK_TCK")
        if fields[0] == "Z":
            return ticks / os.sysconf("SC_CLK_TCK")
        ticks = int(fields[11]) + int(fields[12])
        time.sleep(0.01)
    raise AssertionError("the server goes on without its sockets")


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_without_its_sockets_ends_and_says_why(start, tmp_path, kind):
    def leave(client_socket, state, args):
        (tmp_path / "left").write_text("in order")

    server = start()
    client = Client(HOST, server.port)
    client.initialize(dict, run, leave)
    pid = client.call("before")
    with suppress(BgpyError):
        client.call(kind, timeout=LIMIT_S)
        while client.call("and then", timeout=LIMIT_S) == pid:
            pass
    assert gone(pid) < 2
    assert server.wait(LIMIT_S) == 1
    critical = [line for line in server.log_file.read_text().splitlines() if "CRITICAL" in line]
    assert any(REASON in line for line in critical)
    [ended] = servers(ended=True)
    assert REASON in ended.reason
    assert (tmp_path / "left").read_text() == "in order"


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_brings_back_a_server_without_its_sockets(start, kind):
    server = start(restart="on-failure")
    client = Client(HOST, server.port)
    client.initialize(dict, run, lambda *_: None)
    pid = client.call("before")
    with suppress(BgpyError):
        client.call(kind, timeout=LIMIT_S)
        while client.call("and then", timeout=LIMIT_S) == pid:
            pass
    gone(pid)
    assert client.call("after", timeout=LIMIT_S) != pid
    assert REASON in server.log_file.read_text()
    server.stop(timeout=LIMIT_S)


@pytest.mark.skipif(sys.platform != "linux", reason="finds its listeners by /proc")
def test_a_server_whose_listeners_are_gone_does_not_wait_for_clients_in_vain(serve, start):
    server = start()
    client = Client(HOST, server.port)

    def lose(client_socket, state, args):
        close_listeners()
        respond(client_socket, os.getpid())

    client.initialize(dict, lose, lambda *_: None)
    pid = client.call({})
    with suppress(BgpyError):
        while True:
            client.ping(timeout=LIMIT_S)
    assert gone(pid) < 2
    assert server.wait(LIMIT_S) not in (0, None)


@pytest.mark.parametrize("way", ["unix", "tcp"])
def test_a_reader_that_is_killed_ends_no_server(start, scripts, tmp_path, monkeypatch, way):
    def init():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        return {}

    def answer(client_socket, state, args):
        respond(client_socket, [bytes(100_000) for _ in range(args)])

    token = "a token of the tests that is long enough"
    server = start(token=token)
    if way == "tcp":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    client = Client(HOST, server.port, token=token)
    client.initialize(init, answer, lambda *_: None)
    pid = client.status()["pid"]
    for _ in range(3):
        script = scripts.spawn(
            f"""
            from bgpy import Client

            client = Client("127.0.0.1", {server.port}, token="{token}")
            client.ping()
            print("here", flush=True)
            client.call(600)
            """
        )
        assert script.stdout.readline() == "here\n"
        while client.status(timeout=LIMIT_S)["state"] != "BUSY" and script.poll() is None:
            pass
        script.kill()
        script.wait(LIMIT_S)
        assert client.status(timeout=LIMIT_S)["pid"] == pid
    assert client.call(1, timeout=LIMIT_S) == [bytes(100_000)]


def test_a_reader_of_the_log_that_has_gone_ends_no_server(scripts):
    """Standard error is a pipe that nobody reads, and the task has asked for SIGPIPE."""
    script = scripts.spawn(
        """
        import signal, sys
        from bgpy import Server

        def init_task():
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            return {}

        def exec_task(client_socket, state, args):
            client_socket.respond(args)

        def exit_task(client_socket, state, args):
            pass

        sys.modules["pipe_tasks"] = sys.modules["__main__"]
        server = Server("127.0.0.1", 0, name="loud", log_level="DEBUG", init_module="pipe_tasks")
        server.run()
        sys.exit(3)
        """
    )
    # Its first line says that it listens.
    assert "listens" in script.stderr.readline()
    script.stderr.close()
    client = connected("loud")
    for number in range(3):
        # Each connection and its end are worth a record.
        assert client.call(number, timeout=LIMIT_S) == number
        client.close()
    client.terminate()
    assert script.wait(LIMIT_S) == 3


def connected(name):
    """Return a client of a server that is about to have its entry."""
    limit = time.monotonic() + LIMIT_S
    while True:
        client = Client(name)
        try:
            client.ping(timeout=LIMIT_S)
            return client
        except BgpyError:
            assert time.monotonic() < limit


def test_no_wake_up_is_lost_when_there_are_no_descriptors_left(serve):
    def run(client_socket, state, args):
        if args == "limit":
            import resource

            count = max(map(int, os.listdir("/proc/self/fd"))) + 1
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
            state["files"] = []
            try:
                while True:
                    state["files"].append(os.dup(0))
            except OSError:
                pass
        respond(client_socket, bytes(args) if isinstance(args, int) else args)

    client = serve(run)
    pid = client.status()["pid"]
    client.call("limit")
    for _ in range(3):
        # The client offers memory with its next call, and the server cannot have its descriptor.
        client.call(1 << 20)
        client.call(1 << 20)
        stand_still(pid)
        calling = threading.Thread(target=client.call, args=("x", 20))
        calling.start()
        # Offer and call are to be there at once when the server looks; if not, this proves less.
        time.sleep(0.1)
        os.kill(pid, signal.SIGCONT)
        # A lost wake-up costs the five seconds after which a client asks for a sign of life.
        calling.join(4)
        assert not calling.is_alive()


def test_a_run_leaves_no_descriptor(scripts):
    printed = scripts.run(
        """
        import gc, os, threading
        from bgpy import Client, Server, respond

        kept = []

        def run(client_socket, state, args):
            kept.append(client_socket)
            client_socket.respond(args)

        def once():
            server = Server("127.0.0.1", 0, name="once", log_file="log")

            def end():
                while True:
                    client = Client("once")
                    try:
                        client.initialize(dict, run, lambda *_: None)
                        client.call(1)
                        client.terminate()
                        return client.close()
                    except Exception:
                        pass

            thread = threading.Thread(target=end)
            thread.start()
            server.run()
            thread.join()

        def count():
            gc.collect()
            return len(os.listdir("/proc/self/fd"))

        once()
        before = count()
        for _ in range(5):
            once()
        print(count() - before)
        """,
        cwd=scripts.directory,
    )
    assert printed == "0\n"


def test_what_the_starter_ignores_and_blocks_is_not_inherited(scripts):
    printed = scripts.run(
        """
        import signal
        from bgpy import Client, Server

        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR2])

        def run(client_socket, state, args):
            import signal, subprocess

            numbers = (signal.SIGCHLD, signal.SIGHUP, signal.SIGUSR1)
            client_socket.respond((
                subprocess.run(["false"]).returncode,
                [signal.getsignal(n) is signal.SIG_DFL for n in numbers],
                signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN,
                len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            ))

        server = Server("127.0.0.1", 0)
        server.run_background()
        client = Client("127.0.0.1", server.port)
        client.initialize(dict, run, lambda *_: None)
        print(client.call({}))
        client.terminate()
        """
    )
    assert printed == "(1, [True, True, True], True, 0)\n"


def test_nohup_is_kept_in_the_foreground_and_the_rest_is_not_inherited(runtime, tmp_path):
    tasks = tmp_path / "tasks.py"
    tasks.write_text(
        "import signal, subprocess\n"
        "def init_task(): return {}\n"
        "def exec_task(client_socket, state, args):\n"
        "    client_socket.respond([subprocess.run(['false']).returncode,\n"
        "        signal.getsignal(signal.SIGHUP) is signal.SIG_IGN])\n"
        "def exit_task(*_): pass\n"
    )
    ignore = [signal.SIGCHLD, signal.SIGHUP]
    process = subprocess.Popen(
        [sys.executable, "-m", "bgpy", "run", "--name", "front", str(tasks)],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: [signal.signal(number, signal.SIG_IGN) for number in ignore],
    )
    try:
        ready, _, _ = select.select([process.stderr], [], [], LIMIT_S)
        assert ready
        client = connected("front")
        assert client.call({}) == [1, True]
        client.terminate()
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_server_that_gets_no_thread_says_so(scripts):
    """The limit counts the threads of a user; root has none, and becomes somebody else."""
    printed = scripts.run(
        """
        import os, resource, shutil, tempfile
        from bgpy import Server, StartError

        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(54321)
            os.setuid(54321)
        directory = tempfile.mkdtemp()
        os.environ["BGPY_RUNTIME_DIR"] = directory
        limit = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        server = Server("127.0.0.1", 0)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, limit))
        try:
            server.run()
        except StartError as error:
            print("StartError", error)
        shutil.rmtree(directory)
        """,
        cwd="/",
    )
    assert printed.startswith("StartError")
    assert "no thread" in printed


@pytest.mark.parametrize("limit", range(1, 7))
def test_a_caller_that_gets_no_thread_says_so(scripts, limit):
    """As above, for whoever starts a server in the background."""
    printed = scripts.run(
        f"""
        import os, resource, shutil, tempfile
        from bgpy import Server, StartError

        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(54321 + {limit})
            os.setuid(54321 + {limit})
        directory = tempfile.mkdtemp()
        os.environ["BGPY_RUNTIME_DIR"] = directory
        server = Server("127.0.0.1", 0)
        most = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        resource.setrlimit(resource.RLIMIT_NPROC, ({limit}, most))
        try:
            server.run_background(timeout=20)
            server.stop(20)
            print("started")
        except StartError as error:
            print("StartError", error)
        shutil.rmtree(directory)
        """,
        cwd="/",
    )
    assert printed.startswith(("StartError", "started"))
    assert "panicked" not in printed
