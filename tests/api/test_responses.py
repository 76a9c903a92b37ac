"""What a task responds and raises is what its caller gets, and the server lives on."""

from __future__ import annotations

import sys
import threading

import pytest

from bgpy import (
    BgpyError,
    Client,
    ConfigError,
    NoResponse,
    NotInitialized,
    RemoteError,
    SerializationError,
    respond,
)

HOST = "127.0.0.1"


class Overheated(Exception):
    """An exception that the server cannot import."""


class Measured(Exception):
    """An exception that cannot be made from its `args` alone."""

    def __init__(self, value, unit):
        super().__init__(f"{value} {unit}")


class Locked(Exception):
    """An exception that cannot be pickled."""

    def __init__(self):
        super().__init__("in use")
        self.lock = threading.Lock()


class Mute(Exception):
    """An exception that cannot be printed."""

    def __str__(self):
        raise ValueError("no words")


class Unloadable:
    """An object that only its sender can bear."""

    def __reduce__(self):
        return int, ("not a number",)


@pytest.fixture
def run(serve):
    """Return a client whose calls run the function that they carry."""

    def run(client_socket, state, args):
        return args(client_socket, state)

    return serve(run)


def assert_lives(client):
    assert client.call(lambda client_socket, state: respond(client_socket, "alive")) == "alive"


def test_the_first_of_several_responses_is_the_one(run):
    def count(client_socket, state):
        for number in range(5):
            respond(client_socket, number)

    for _ in range(3):
        assert run.call(count) == 0
        assert run.execute(count, await_response=True) == 0


def test_a_response_comes_before_the_end_of_the_task(run, gate):
    def respond_and_stay(client_socket, state):
        respond(client_socket, "early")
        gate.enter()

    assert run.call(respond_and_stay) == "early"
    gate.wait_entered()
    gate.open()


def test_the_client_socket_responds_itself(run):
    assert run.call(lambda client_socket, state: client_socket.respond("short")) == "short"


def test_a_thread_of_the_server_may_respond(run):
    def hand_over(client_socket, state):
        thread = threading.Thread(target=respond, args=(client_socket, "from a thread"))
        thread.start()
        thread.join()

    assert run.call(hand_over) == "from a thread"


def test_a_response_after_the_end_of_the_task_is_dropped(run, gate):
    def leave(client_socket, state):
        def late():
            gate.enter()
            respond(client_socket, "late")
            gate.tell()

        threading.Thread(target=late).start()

    with pytest.raises(NoResponse):
        run.call(leave)
    gate.wait_entered()
    gate.open()
    gate.wait_entered()
    assert_lives(run)


def test_a_response_to_nobody_is_dropped(run):
    def respond_often(client_socket, state):
        for number in range(3):
            respond(client_socket, number)

    assert run.execute(respond_often) == {"message": "Received 'EXEC'"}
    assert_lives(run)


def test_a_response_to_a_client_that_has_gone_is_dropped(run, gate):
    def respond_late(client_socket, state):
        gate.enter()
        respond(client_socket, bytes(1 << 20))

    with Client(HOST, run.port) as leaving:
        leaving.execute(respond_late)
    gate.wait_entered()
    gate.open()
    assert_lives(run)


def test_an_error_response_is_raised_by_call_and_returned_by_execute(run):
    def complain(client_socket, state):
        respond(client_socket, {"message": "no film", "code": 7}, error=True)

    with pytest.raises(RemoteError, match="no film") as caught:
        run.call(complain)
    assert caught.value.response == {"message": "no film", "code": 7}
    assert caught.value.__cause__ is None
    assert run.execute(complain, await_response=True) == {"message": "no film", "code": 7}


def test_none_and_false_are_responses(run):
    for value in (None, False, 0, "", (), {}):
        assert (
            run.call(lambda client_socket, state, value=value: respond(client_socket, value))
            == value
        )


def test_no_response_is_told_to_everybody_who_awaits_one(run):
    with pytest.raises(NoResponse, match="respond"):
        run.call(lambda client_socket, state: None)
    with pytest.raises(NoResponse):
        run.execute(lambda client_socket, state: None, await_response=True)
    assert_lives(run)


def test_a_response_that_cannot_be_pickled(run):
    with pytest.raises(
        RemoteError, match=r"response \(a _thread.lock\) cannot be pickled"
    ) as caught:
        run.call(lambda client_socket, state: respond(client_socket, threading.Lock()))
    assert caught.value.exception_type == "bgpy.errors.SerializationError"
    assert isinstance(caught.value.__cause__, SerializationError)
    assert "Traceback" in caught.value.remote_traceback
    assert_lives(run)


def test_a_task_may_handle_a_response_that_cannot_be_pickled(run):
    def try_twice(client_socket, state):
        try:
            respond(client_socket, threading.Lock())
        except SerializationError:
            respond(client_socket, "second choice")

    assert run.call(try_twice) == "second choice"


def test_a_response_that_cannot_be_unpickled_here(run):
    with pytest.raises(SerializationError, match="not a number") as caught:
        run.call(lambda client_socket, state: respond(client_socket, Unloadable()))
    assert isinstance(caught.value.__cause__, ValueError)
    assert_lives(run)


def test_arguments_that_cannot_be_pickled(run):
    with pytest.raises(SerializationError, match=r"args\[0\] \(a _thread.lock\) cannot be pickled"):
        run.call([threading.Lock()])
    with pytest.raises(SerializationError, match=r"args\[0\] \(a _thread.lock\) cannot be pickled"):
        run.execute([threading.Lock()])
    assert run.status()["calls"] == 0
    assert_lives(run)


def test_arguments_that_cannot_be_unpickled_there(run):
    with pytest.raises(SerializationError, match="not a number"):
        run.call(Unloadable())
    run.execute(Unloadable())
    assert_lives(run)


def test_an_exception_of_python_arrives_with_its_traceback(run):
    def divide(client_socket, state):
        return 1 / 0

    with pytest.raises(RemoteError, match="ZeroDivisionError: division by zero") as caught:
        run.call(divide)
    error = caught.value
    assert isinstance(error, BgpyError)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert error.exception is error.__cause__
    assert error.exception_type == "ZeroDivisionError"
    assert "in divide" in error.remote_traceback
    assert any("in divide" in note for note in error.__notes__)
    assert_lives(run)


def test_execute_raises_what_an_awaited_task_raises(run):
    with pytest.raises(RemoteError, match="KeyError: 'film'"):
        run.execute(lambda client_socket, state: {}["film"], await_response=True)


def test_what_a_task_raises_after_its_response_does_not_reach_the_caller(run):
    def respond_and_fail(client_socket, state):
        respond(client_socket, "fine")
        raise Overheated

    assert run.call(respond_and_fail) == "fine"
    assert_lives(run)


def test_what_nobody_awaits_stands_in_the_log(start):
    server = start()
    client = Client(HOST, server.port)

    def fail(client_socket, state, args):
        raise Overheated("99 degrees")

    client.initialize(dict, fail, print)
    client.execute({})
    client.terminate()
    assert server.wait(20) == 0
    log = server.log_file.read_text()
    assert "Overheated: 99 degrees" in log
    assert "in fail" in log


def test_an_exception_of_the_callers_own_class_is_rebuilt(run):
    def overheat(client_socket, state):
        raise Overheated("99 degrees", {"at": 3})

    with pytest.raises(RemoteError, match="Overheated: .*99 degrees") as caught:
        run.call(overheat)
    assert type(caught.value.__cause__) is Overheated
    assert caught.value.__cause__.args == ("99 degrees", {"at": 3})
    assert caught.value.exception_type.endswith("Overheated")


def test_an_exception_of_main_is_rebuilt(scripts, start):
    port = start().port
    printed = scripts.run(
        """
        import sys
        from bgpy import Client, RemoteError

        class Overheated(Exception):
            pass

        def fail(client_socket, state, args):
            raise Overheated(args)

        client = Client("127.0.0.1", int(sys.argv[1]))
        client.initialize(dict, fail, print)
        try:
            client.call(99)
        except RemoteError as error:
            cause = error.__cause__
        print(type(cause) is Overheated, cause.args)
        """,
        port,
    )
    assert printed == "True (99,)\n"


def test_causes_stand_in_the_traceback(run):
    def fail(client_socket, state):
        try:
            raise OSError("no cable")
        except OSError as error:
            raise Overheated("no fan") from error

    with pytest.raises(RemoteError) as caught:
        run.call(fail)
    told = caught.value.remote_traceback
    assert told.index("no cable") < told.index("direct cause") < told.index("no fan")


def test_an_exception_that_cannot_be_pickled_is_told(run):
    def fail(client_socket, state):
        raise Locked

    with pytest.raises(RemoteError, match="Locked: in use") as caught:
        run.call(fail)
    assert caught.value.exception is None
    assert caught.value.__cause__ is None
    assert "raise Locked" in caught.value.remote_traceback
    assert_lives(run)


def test_an_exception_that_cannot_be_rebuilt_is_told(run):
    def fail(client_socket, state):
        raise Measured(99, "degrees")

    with pytest.raises(RemoteError, match="Measured: 99 degrees") as caught:
        run.call(fail)
    assert caught.value.exception is None
    assert caught.value.__cause__ is None
    assert_lives(run)


def test_an_exception_without_words_is_told(run):
    def fail(client_socket, state):
        raise Mute

    with pytest.raises(RemoteError, match="Mute"):
        run.call(fail)
    assert_lives(run)


def test_a_group_of_exceptions_is_rebuilt(run):
    def fail(client_socket, state):
        raise ExceptionGroup("both", [KeyError("a"), Overheated("b")])

    with pytest.raises(RemoteError, match="both") as caught:
        run.call(fail)
    assert [type(error) for error in caught.value.__cause__.exceptions] == [KeyError, Overheated]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_is_no_exception_ends_no_server(run, kind):
    def leave(client_socket, state):
        raise kind(3)

    with pytest.raises(RemoteError, match=kind.__name__) as caught:
        run.call(leave)
    assert type(caught.value.__cause__) is kind
    run.execute(leave)
    assert_lives(run)


def test_sys_exit_ends_no_server(run):
    with pytest.raises(RemoteError, match="SystemExit: 3"):
        run.call(lambda client_socket, state: sys.exit(3))
    assert_lives(run)


def test_endless_recursion_ends_no_server(run):
    def dig(client_socket, state):
        return dig(client_socket, state)

    with pytest.raises(RemoteError, match="RecursionError"):
        run.call(dig)
    assert_lives(run)


def test_a_state_that_is_no_dict_is_refused_and_the_old_one_kept(run):
    def spoil(client_socket, state):
        state["kept"] = True
        return [state]

    with pytest.raises(RemoteError, match="exec_task must return the state as a dict.*not list"):
        run.call(spoil)
    assert run.call(lambda client_socket, state: respond(client_socket, state)) == {"kept": True}


def test_none_keeps_the_state_and_a_dict_replaces_it(run):
    run.execute(lambda client_socket, state: state.update(a=1))
    assert run.call(lambda client_socket, state: respond(client_socket, state)) == {"a": 1}
    run.execute(lambda client_socket, state: {"b": 2})
    assert run.call(lambda client_socket, state: respond(client_socket, state)) == {"b": 2}


def test_a_call_before_the_tasks_is_refused(start):
    client = Client(HOST, start().port)
    for attempt in (client.call, client.execute):
        with pytest.raises(NotInitialized, match="initialize"):
            attempt({})


def test_a_failed_init_task_leaves_the_server_without_tasks(start):
    client = Client(HOST, start().port)

    def fail(client_socket):
        raise Overheated("99 degrees")

    with pytest.raises(RemoteError, match="99 degrees") as caught:
        client.initialize(fail, print, print)
    assert type(caught.value.__cause__) is Overheated
    with pytest.raises(RemoteError, match="init_task must return the state as a dict, not int"):
        client.initialize(int, print, print)
    with pytest.raises(NotInitialized):
        client.call({})
    assert client.initialize(dict, print, print) == {"message": "Initialization successful."}


def test_a_second_initialization_keeps_the_first(serve):
    client = serve(lambda client_socket, state, args: respond(client_socket, "first"))
    other = Client(HOST, client.port)

    def never(*_):
        raise Overheated

    assert other.initialize(never, never, never) == {"message": "Already initialized."}
    assert other.call({}) == "first"


def test_a_failed_exit_task_is_told_and_ends_the_server(start):
    server = start()
    client = Client(HOST, server.port)

    def fail(client_socket, state, args):
        raise Overheated(args)

    client.initialize(dict, print, fail)
    with pytest.raises(RemoteError, match="99") as caught:
        client.terminate(99, await_response=True)
    assert type(caught.value.__cause__) is Overheated
    assert server.wait(20) == 1


def test_only_a_client_socket_can_be_responded_to():
    with pytest.raises((TypeError, ConfigError), match="client_socket must be .* not str"):
        respond("client", {})
