"""A process that a task forks is an ordinary Python process at once, and never a server."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from bgpy import Client, ConnectionLost, NotRunning, RemoteError, respond

HOST = "127.0.0.1"
LIMIT_S = 30

# With threads beside it, a fork is warned of from 3.12 on; a server always has one.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def child_of(act):
    """Fork; return what `act` returns in the child, told by a pipe."""
    import os
    import pickle

    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            with open(write, "wb") as pipe:
                pickle.dump(act(), pipe)
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        told = pickle.load(pipe)
    os.waitpid(pid, 0)
    return told


def open_descriptors():
    """Return what this process has open, besides its standard streams and pipes of its own."""
    import os

    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if int(name) > 2 and not target.startswith(("pipe:", "/proc/")):
            found.append((int(name), target))
    return found


def signals_here():
    """Return how this process handles signals."""
    import signal

    wakeup = signal.set_wakeup_fd(-1)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    is_plain = handlers == [signal.SIG_DFL, signal.default_int_handler]
    return {"wakeup": wakeup, "mask": sorted(mask), "plain handlers": is_plain}


PLAIN = {"wakeup": -1, "mask": [], "plain handlers": True}


def test_a_forked_worker_does_not_keep_the_server_alive_for_clients(serve):
    def fork(client_socket, state, args):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.read(read, 1)
            os._exit(0)
        state["keep"] = write
        respond(client_socket, {"worker": pid, "server": os.getpid()})

    client = serve(fork)
    pids = client.call({})
    os.kill(pids["server"], signal.SIGKILL)
    try:
        with pytest.raises((ConnectionLost, NotRunning)):
            client.call({}, timeout=20)
        with pytest.raises(NotRunning):
            client.call({}, timeout=20)
    finally:
        os.kill(pids["worker"], signal.SIGKILL)


def test_a_child_has_the_signals_from_before_the_server_and_none_of_its_descriptors(connect):
    def run(client_socket, state, args):
        told = child_of(lambda: (signals_here(), open_descriptors()))
        respond(client_socket, told)

    client = connect(run)
    other = Client(HOST, client.port, token=client.token)
    other.ping()
    # The second one after a message in a segment, where there are some.
    for _ in range(2):
        assert client.call({}) == (PLAIN, [])
        for _ in range(3):
            client.execute(bytes(1 << 20), await_response=True)


def test_a_child_of_init_exit_and_a_thread_is_one_as_well(start, tmp_path):
    helpers = Path(__file__).read_text().partition("def child_of")[2].partition("\n\nPLAIN")[0]
    told = tmp_path / "told"
    tasks = tmp_path / "tasks.py"
    tasks.write_text(
        f"""
import threading
from bgpy import respond

def child_of{helpers}

def tell():
    here = child_of(lambda: (signals_here(), open_descriptors()))
    with open({str(told)!r}, "a") as file:
        print(here, file=file)

tell()

def init_task():
    tell()
    return {{}}

def exec_task(client_socket, state, args):
    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()
    respond(client_socket, 1)

def exit_task(client_socket, state, args):
    tell()
"""
    )
    server = start(init_file=tasks)
    client = Client(HOST, server.port)
    client.call({})
    client.terminate()
    assert server.wait(LIMIT_S) == 0
    assert told.read_text() == 4 * f"{(PLAIN, [])}\n"


def test_what_a_task_has_changed_stays_in_its_children(serve):
    def run(client_socket, state, args):
        signal.signal(signal.SIGTERM, print)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

        def look():
            return [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == [
                print,
                signal.SIG_IGN,
            ]

        respond(client_socket, child_of(look))

    assert serve(run).call({}) is True


def test_a_signal_right_after_the_fork_ends_the_child(serve):
    def run(client_socket, state, args):
        import multiprocessing

        context = multiprocessing.get_context("fork")
        codes = []
        for _ in range(30):
            process = context.Process(target=signal.pause)
            process.start()
            process.terminate()
            process.join(10)
            codes.append(process.exitcode)
            process.kill()
        respond(client_socket, codes)

    assert serve(run).call({}, timeout=60) == [-signal.SIGTERM] * 30


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_every_kind_work_and_end_at_once(serve, method):
    def run(client_socket, state, args):
        import concurrent.futures
        import multiprocessing

        context = multiprocessing.get_context(args)
        began = time.monotonic()
        with context.Pool(2) as pool:
            mapped = pool.map(abs, range(-4, 0))
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
            mapped += executor.map(abs, [-5])
        respond(client_socket, (mapped, time.monotonic() - began))

    client = serve(run)
    mapped, seconds = client.call(method, timeout=60)
    assert mapped == [4, 3, 2, 1, 5]
    assert seconds < 10
    assert client.status()["state"] in ("READY", "BUSY")


def test_between_fork_and_exec_there_is_nothing_of_the_server(serve):
    def run(client_socket, state, args):
        import subprocess

        read, write = os.pipe()

        def before_exec():
            # What the interpreter itself has open for its child are pipes.
            os.write(write, repr((signals_here(), open_descriptors())).encode())

        done = subprocess.run(["true"], preexec_fn=before_exec)
        respond(client_socket, (done.returncode, os.read(read, 10_000).decode()))

    code, told = serve(run).call({})
    assert code == 0
    assert told == repr((PLAIN, []))


@pytest.mark.parametrize(
    ("how", "code"),
    [("return", 0), ("raise", 1), ("exit", 7), ("exit with a text", 1), ("exit plainly", 0)],
)
def test_a_child_that_comes_back_from_its_task_ends_there(start, tmp_path, gate, how, code):
    """Calls that wait run once, and the child does nothing of what its parent does at its end."""

    def init():
        import atexit

        atexit.register(lambda: (tmp_path / "atexit").open("a").write("x"))
        return {}

    def run(client_socket, state, args):
        if args != "fork":
            with (tmp_path / "ran").open("a") as ran:
                ran.write(f"{args} ")
            return
        gate.enter()
        pid = os.fork()
        if pid == 0:
            print("the child has printed this", end="")
            threading.Thread(target=lambda: (time.sleep(0.2), gate.tell())).start()
            if how == "raise":
                raise ValueError("in the child")
            if how.startswith("exit"):
                sys.exit({"exit": 7, "exit with a text": "words of the child"}.get(how))
            return
        respond(client_socket, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    def leave(client_socket, state, args):
        (tmp_path / "exit_task").open("a").write("x")

    server = start()
    client, other = Client(HOST, server.port), Client(HOST, server.port)
    client.initialize(init, run, leave)
    answers = []
    calling = threading.Thread(target=lambda: answers.append(client.call("fork", timeout=LIMIT_S)))
    calling.start()
    gate.wait_entered()
    for number in range(3):
        other.execute(number)
    gate.open()
    calling.join()
    assert answers == [code]
    # The child's own thread was waited for.
    gate.wait_entered()
    other.terminate()
    assert server.wait(LIMIT_S) == 0
    assert (tmp_path / "ran").read_text() == "0 1 2 "
    assert (tmp_path / "exit_task").read_text() == "x"
    assert (tmp_path / "atexit").read_text() == "x"
    log = server.log_file.read_text()
    assert log.count("the child has printed this") == 1
    assert ("ValueError: in the child" in log) == (how == "raise")
    assert ("words of the child" in log) == (how == "exit with a text")


def test_a_child_answers_nobody_and_is_told_so(serve):
    def run(client_socket, state, args):
        def answer():
            try:
                respond(client_socket, "from the child")
            except Exception as error:
                return type(error).__name__, str(error)

        respond(client_socket, child_of(answer))

    name, text = serve(run).call({})
    assert name == "BgpyError"
    assert "forked by a task" in text


def test_a_child_of_a_signal_handler_ends_there_too(serve, gate):
    """Between two calls, too, where no task runs."""

    def init():
        def fork(*_):
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
                gate.tell()

        signal.signal(signal.SIGUSR1, fork)
        return {}

    client = serve(lambda client_socket, state, args: respond(client_socket, os.getpid()), init)
    pid = client.call({})
    os.kill(pid, signal.SIGUSR1)
    gate.wait_entered()
    assert client.call({}) == pid


def test_children_are_forked_from_threads_while_clients_flood(serve):
    def run(client_socket, state, args):
        if args != "fork":
            respond(client_socket, args)
            return
        told = []

        def fork():
            for _ in range(20):
                told.append(child_of(lambda: (signals_here(), open_descriptors())))

        threads = [threading.Thread(target=fork) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        respond(client_socket, told)

    client = serve(run)
    done = threading.Event()
    failures = []

    def flood():
        try:
            while not done.is_set():
                # New connections are the ones that could be missed.
                with Client(HOST, client.port) as other:
                    other.status(timeout=LIMIT_S)
                    other.execute(bytes(100_000), timeout=LIMIT_S)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=flood) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        told = client.call("fork", timeout=90)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert [signals for signals, _ in told] == [PLAIN] * 40
    # Two threads fork at once, and each child may have the pipe of the other's, but no socket.
    assert [found for _, found in told if found] == []


def test_what_a_task_writes_to_an_object_survives_every_fork(serve):
    """An object that has arrived in shared memory becomes the server's own at the first fork."""

    def run(client_socket, state, args):
        import pickle

        if "kept" not in state:
            state["kept"] = []
        array = pickle.PickleBuffer(args).raw()
        for number in range(3):
            array[number] = 7
            child_of(lambda: None)
        state["kept"].append(args)
        respond(client_socket, [bytes(array[:4]), child_of(lambda: bytes(array[:4]))])

    client = serve(run)
    for _ in range(4):
        assert client.call(bytearray(1 << 20)) == [b"\x07\x07\x07\x00"] * 2


def test_a_child_may_use_a_client_of_its_server(serve):
    def run(client_socket, state, args):
        from bgpy import Client

        client = Client("127.0.0.1", args)
        client.status()
        respond(client_socket, child_of(lambda: client.status(timeout=20)["state"]))

    client = serve(run)
    assert client.call(client.port) == "BUSY"


def test_an_exception_of_a_task_is_still_the_callers(serve):
    def run(client_socket, state, args):
        child_of(lambda: None)
        raise ValueError("in the parent")

    with pytest.raises(RemoteError, match="in the parent"):
        serve(run).call({})
