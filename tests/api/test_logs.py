"""The log of a server in Python: its end, new lines, and prints while a call waits."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from bgpy import (
    BgpyError,
    CallTimeout,
    Client,
    ConfigError,
    NotRunning,
    RemoteError,
    Server,
    respond,
)
from bgpy import connect as to
from bgpy import start as start_server


def say(client_socket, state, args):
    for line in args:
        print(line)
    respond(client_socket, len(args))


@pytest.fixture
def talker():
    with start_server((dict, say), name="talker") as server:
        yield server


def test_the_end_of_the_log_is_text(talker):
    client = to("talker")
    client.call([f"line {number}" for number in range(200)])
    for told in (client.logs(3), talker.logs(lines=3)):
        assert told == "line 197\nline 198\nline 199\n"
        assert repr(told) == str(told)
        assert isinstance(told, str)
    assert len(client.logs().splitlines()) == len(talker.logs().splitlines()) == 100
    assert client.logs(0) == ""
    assert "listens on" in talker.logs(10_000)


def test_what_is_printed_need_not_be_text(talker):
    def exec_task(client_socket, state, args):
        import os

        os.write(1, "grün ".encode() + b"\xff\n")
        respond(client_socket, None)

    with start_server((dict, exec_task), name="odd") as server:
        client = to("odd")
        client.call(None)
        assert client.logs(1) == server.logs(1) == "grün \\xff\n"


def test_the_log_can_be_read_while_a_task_runs_and_after_the_end(serve, gate):
    def exec_task(client_socket, state, args):
        print("before")
        args.enter()

    with start_server((dict, exec_task), name="busy") as server:
        client = to("busy")
        client.execute(gate)
        gate.wait_entered()
        assert client.logs(1) == server.logs(1) == "before\n"
        gate.open()
    assert "before\n" in server.logs()
    with pytest.raises(NotRunning):
        client.logs()


@pytest.mark.parametrize("is_client", [True, False])
def test_lines_are_followed_until_the_end(talker, is_client):
    client = to("talker")
    lines = (to("talker") if is_client else talker).logs(0, follow=True)
    client.call(["one", "two"])
    assert [next(lines), next(lines)] == ["one", "two"]
    client.call(["three"])
    assert next(lines) == "three"
    client.terminate()
    rest = list(lines)
    assert not {"one", "two", "three"} & set(rest)
    # The file remains, while nobody answers any more.
    assert rest or is_client


def test_a_server_without_a_log_file_says_so(talker):
    with pytest.raises(BgpyError, match="has no log file"):
        Server().logs()
    with pytest.raises(ConfigError, match="lines=-1 is not a number of lines"):
        talker.logs(-1)
    client = to("talker")
    with pytest.raises(TypeError, match="lines must be a whole number, not str"):
        client.logs("10")
    with pytest.raises(TypeError, match="follow must be True or False, not str"):
        client.logs(follow="yes")
    with pytest.raises(TypeError, match="echo must be True or False, not int"):
        client.call(1, echo=1)


class Screen:
    """Standard output that another thread can look at meanwhile."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def write(self, piece: str) -> int:
        self.pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        pass

    def text(self) -> str:
        return "".join(self.pieces)


def test_prints_are_shown_while_the_call_waits(gates, monkeypatch):
    def exec_task(client_socket, state, args):
        first, second = args
        print("first")
        first.enter()
        print("no newline", end="", flush=True)
        second.enter()
        print("\nlast")
        respond(client_socket, "done")

    first, second = gates(), gates()
    screen = Screen()

    def look():
        for gate, shown in ((first, "first\n"), (second, "first\nno newline")):
            gate.wait_entered()
            while screen.text() != shown:
                time.sleep(0.01)
            gate.open()

    with start_server((dict, exec_task), name="printing"):
        client = to("printing")
        looking = threading.Thread(target=look)
        looking.start()
        monkeypatch.setattr(sys, "stdout", screen)
        assert client.call((first, second), timeout=30, echo=True) == "done"
        looking.join()
    assert screen.text() == "first\nno newline\nlast\n"


def test_logs_and_prints_come_over_either_transport(connect, capsys):
    client = connect(say)
    assert client.call(["one", "two"], echo=True) == 2
    assert capsys.readouterr().out == "one\ntwo\n"
    assert client.logs(2) == "one\ntwo\n"


def test_a_call_with_echo_has_its_time_limit(serve, gate, capsys):
    def exec_task(client_socket, state, args):
        print("begun")
        args.enter()

    client = serve(exec_task)
    with pytest.raises(CallTimeout, match=r"within 0\.5s"):
        client.call(gate, timeout=0.5, echo=True)
    assert capsys.readouterr().out == "begun\n"
    gate.open()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_reads_the_log_as_well(talker):
    client = to("talker")
    client.call(["before the fork"])
    child = os.fork()
    if child == 0:
        os._exit(client.logs(1) != "before the fork\n")
    assert os.waitpid(child, 0)[1] == 0
    assert client.logs(1) == "before the fork\n"


def test_only_what_is_printed_during_the_call_is_shown(talker, capsys):
    client = to("talker")
    client.call(["before"])
    assert client.call(["now"], echo=True) == 1
    client.call(["after"])
    assert capsys.readouterr().out == "now\n"


def test_prints_of_a_task_that_fails_are_shown(capsys):
    def exec_task(client_socket, state, args):
        print("so far")
        raise ValueError(args)

    with start_server((dict, exec_task), name="failing"), pytest.raises(RemoteError, match="it"):
        to("failing").call("it", echo=True)
    assert capsys.readouterr().out == "so far\n"


def test_a_call_whose_server_dies_raises_what_it_raises_without_echo(capsys):
    def exec_task(client_socket, state, args):
        import os

        print("dying")
        os._exit(3)

    start_server((dict, exec_task), name="dying")
    with pytest.raises(ConnectionError):
        to("dying").call(None, echo=True)


def test_a_server_that_logs_to_no_file_refuses_to_echo(scripts):
    serving = scripts.spawn(
        """
        import bgpy
        import bgpy.example.tasks

        server = bgpy.Server(name="loud", init_module="bgpy.example.tasks")
        server.run()
        """
    )
    for line in serving.stderr:
        if "listens on" in line:
            break
    client = Client("loud")
    for ask in (lambda: client.call({}, echo=True), client.logs):
        with pytest.raises(BgpyError, match="loud: it logs to no file"):
            ask()
    client.terminate({})
    serving.communicate(timeout=30)


def test_much_that_is_printed_comes_whole(talker, capsys):
    client = to("talker")
    lines = ["x" * 1000 + str(number) for number in range(6000)]
    assert client.call(lines, timeout=10, echo=True) == 6000
    assert capsys.readouterr().out.splitlines() == lines


def test_a_server_that_prints_all_the_time_keeps_no_caller(capsys):
    def init_task():
        import threading

        state = {"lines": 0}

        def print_on():
            while True:
                print("y" * 10_000)
                state["lines"] += 1

        threading.Thread(target=print_on, daemon=True).start()
        return state

    def exec_task(client_socket, state, args):
        import time

        until = state["lines"] + args
        while state["lines"] < until:
            time.sleep(0.001)
        respond(client_socket, "done")

    with start_server((init_task, exec_task), name="noisy"):
        assert to("noisy").call(1000, timeout=30, echo=True) == "done"
    assert "y" * 10_000 in capsys.readouterr().out.splitlines()


def test_what_print_raises_ends_the_wait(talker, monkeypatch):
    class Closed:
        def write(self, text):
            raise BrokenPipeError("closed")

        def flush(self):
            pass

    client = to("talker")
    monkeypatch.setattr("sys.stdout", Closed())
    with pytest.raises(BrokenPipeError, match="closed"):
        client.call(["one"], echo=True)
