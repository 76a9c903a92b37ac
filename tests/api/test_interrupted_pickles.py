"""What is no Exception is passed on, also where objects become bytes and bytes objects."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from bgpy import RemoteError, respond

LIMIT_S = 20
ENDS = [KeyboardInterrupt, SystemExit, GeneratorExit]


class Told:
    """Raises where it is told to: when it is pickled, or unpickled, in one process."""

    def __init__(self, kind, where, pid=None):
        self.kind, self.where, self.pid = kind, where, pid

    def __getstate__(self):
        if self.where == "pickled" and self.pid in (None, os.getpid()):
            raise self.kind("told to")
        return dict(self.__dict__)

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.where == "unpickled" and self.pid in (None, os.getpid()):
            raise self.kind("told to")


class ToldError(Exception):
    def __init__(self, kind, pid):
        super().__init__(kind, pid)
        self.kind, self.pid = kind, pid

    def __setstate__(self, state):
        if self.pid == os.getpid():
            raise self.kind("told to")


def work(client_socket, state, args):
    match args:
        case ("make", kind, where):
            respond(client_socket, Told(kind, where, os.getpid()))
        case ("catch", kind):
            try:
                respond(client_socket, Told(kind, "pickled", os.getpid()))
            except kind as error:
                respond(client_socket, [type(error).__name__, str(error)])
        case ("raise", kind, pid):
            raise ToldError(kind, pid)
        case _:
            respond(client_socket, args)


@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize("wrapped", [lambda o: o, lambda o: [1, {"a": o}]])
def test_a_client_raises_it_as_it_is(serve, kind, wrapped):
    client = serve(work)
    with pytest.raises(kind, match="told to"):
        client.call(wrapped(Told(kind, "pickled")))
    with pytest.raises(kind, match="told to"):
        client.call(wrapped(Told(kind, "unpickled", os.getpid())))
    with pytest.raises(kind, match="told to"):
        client.call(("raise", kind, os.getpid()))
    assert client.call(1) == 1


@pytest.mark.parametrize("kind", ENDS)
def test_a_server_takes_it_as_if_the_task_had_raised_it(serve, kind):
    client = serve(work)
    pid = client.status()["pid"]
    for args in (Told(kind, "unpickled", pid), ("make", kind, "pickled")):
        with pytest.raises(RemoteError, match="told to") as raised:
            client.call(args)
        assert raised.value.exception_type == kind.__name__
        assert isinstance(raised.value.exception, kind)
    assert client.call(("catch", kind)) == [kind.__name__, "told to"]
    assert client.status()["pid"] == pid
    assert client.call(1) == 1


class Slow:
    """Takes until it is interrupted."""

    def __init__(self, where):
        self.where = where

    def __getstate__(self):
        if self.where == "pickled":
            stay()
        return dict(self.__dict__)

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.where == os.getpid():
            stay()


def stay():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(LIMIT_S)


@pytest.mark.parametrize("where", ["pickled", os.getpid()])
def test_ctrl_c_is_no_bgpy_error(serve, where):
    assert threading.current_thread() is threading.main_thread()
    client = serve(work)
    # A BgpyError would be taken for one, and tried again.
    with pytest.raises(KeyboardInterrupt):
        client.call(Slow(where))
    assert client.call(1) == 1
