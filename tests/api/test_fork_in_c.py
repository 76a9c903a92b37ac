"""A process that a task forks in C, without Python's hooks, has nothing of the server's either."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from bgpy import Client, respond

HOST = "127.0.0.1"
LIMIT_S = 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks by the C library of Linux")

# How a child is forked: by the C library, with its own hooks, or by the system call, without any.
FORKS = ["fork", "clone"]


def child_in_c(how, act):
    """Fork in C. The child calls `act` and ends; return its process id."""
    import ctypes
    import os
    import platform
    import signal

    # With the GIL held, so that no other thread has it in the child.
    libc = ctypes.PyDLL(None)
    if how == "fork":
        pid = libc.fork()
    else:
        number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
        pid = libc.syscall(number, int(signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        code = 1
        try:
            code = act() or 0
        finally:
            os._exit(code)
    return pid


def ended(pid, again=None):
    """Wait for the end of a child, for a while; return its exit code.

    A signal may come just before the child begins to sleep, which Python notices afterwards only:
    `again` sends it once more, each second.
    """
    import os
    import signal
    import time

    for turn in range(1, 1000):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if again is not None and turn % 100 == 0:
            os.kill(pid, again)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "it does not end"


def waits(how, wait, number, attempts=3):
    """Send a signal to a child that waits; return how it ends.

    Without Python's hooks, a child has the interpreter's locks as they were at the fork. If another
    thread was just taking one, the child never comes to itself: then another one is forked.
    """
    import os
    import select
    import signal

    read, write = os.pipe()

    def act():
        try:
            # The signal may come as soon as this is told.
            os.write(write, b"x")
            wait()
        except KeyboardInterrupt:
            return 7

    pid = child_in_c(how, act)
    is_alive = select.select([read], [], [], 10)[0]
    os.close(read)
    os.close(write)
    if not is_alive and attempts > 1:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return waits(how, wait, number, attempts - 1)
    os.kill(pid, number)
    return ended(pid, number)


def in_python():
    import time

    time.sleep(60)


def in_c():
    import ctypes

    # Nothing of Python runs any more, as in a program that C code goes on with.
    libc = ctypes.PyDLL(None)
    while True:
        libc.pause()


@pytest.mark.parametrize("how", FORKS)
def test_signals_end_a_child(serve, how):
    def run(client_socket, state, args):
        how, wait, number = args
        respond(client_socket, waits(how, wait, number))

    client = serve(run)
    for _ in range(2):
        assert client.call((how, in_python, signal.SIGTERM)) == -signal.SIGTERM
        assert client.call((how, in_c, signal.SIGTERM)) == -signal.SIGTERM
        # It has Python's own handler, as in a script.
        assert client.call((how, in_python, signal.SIGINT)) == 7


@pytest.mark.parametrize("how", FORKS)
def test_the_server_still_ends_in_good_order(start, how):
    def run(client_socket, state, args):
        respond(client_socket, waits(how, in_c, signal.SIGTERM))

    def leave(client_socket, state, args):
        print("leaving")

    server = start()
    with Client(HOST, server.port) as client:
        client.initialize(dict, run, leave)
        client.call({})
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait(LIMIT_S) == 0
    assert "leaving" in server.log_file.read_text()


def test_a_child_of_a_thread(serve):
    def run(client_socket, state, args):
        import threading

        found = []
        thread = threading.Thread(
            target=lambda: found.append(waits("fork", in_python, signal.SIGTERM))
        )
        thread.start()
        thread.join()
        respond(client_socket, found)

    assert serve(run).call({}) == [-signal.SIGTERM]


def test_what_a_task_has_installed_stays(serve):
    def run(client_socket, state, args):
        def own(number, frame):
            os._exit(9)

        signal.signal(signal.SIGTERM, own)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        respond(client_socket, [waits("fork", in_python, signal.SIGTERM)])

    assert serve(run).call({}) == [9]


@pytest.mark.parametrize("closes", [False, True])
def test_no_signal_is_written_to_a_file_of_the_child(serve, tmp_path, closes):
    """Each number that the server had may be a file of the child's by then."""

    def run(client_socket, state, args):
        directory, closes = args

        def act():
            import pathlib
            import time

            files = [pathlib.Path(directory, str(number)) for number in range(100)]
            opened = [file.open("wb", buffering=0) for file in files]
            if closes:
                # And each that is left.
                low = min(file.fileno() for file in opened)
                for number in range(low, max(file.fileno() for file in opened) + 1):
                    if number not in [file.fileno() for file in opened]:
                        os.close(number)
                more = [pathlib.Path(directory, f"more {number}") for number in range(20)]
                opened += [file.open("wb", buffering=0) for file in more]
                files += more
            seen = []
            for number in (signal.SIGUSR1, signal.SIGINT):
                signal.signal(number, lambda number, frame: seen.append(number))
                os.kill(os.getpid(), number)
            while len(seen) < 2:
                time.sleep(0.01)
            return sum(file.stat().st_size for file in files)

        respond(client_socket, ended(child_in_c("fork", act)))

    assert serve(run).call((str(tmp_path), closes)) == 0


def test_no_signal_is_written_to_a_file_of_a_child_without_hooks_that_has_closed_all(
    serve, tmp_path
):
    def run(client_socket, state, directory):
        def act():
            import pathlib
            import time

            os.closerange(3, 4096)
            files = [pathlib.Path(directory, str(number)) for number in range(100)]
            opened = [file.open("wb", buffering=0) for file in files]
            seen = []
            for number in (signal.SIGUSR1, signal.SIGINT):
                signal.signal(number, lambda number, frame: seen.append(number))
                os.kill(os.getpid(), number)
            while len(seen) < len(opened[:2]):
                time.sleep(0.01)
            return sum(file.stat().st_size for file in files)

        respond(client_socket, ended(child_in_c("clone", act)))

    assert serve(run).call(str(tmp_path)) == 0
