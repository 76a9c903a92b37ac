"""A process that a task forks does not hold on to the server's sockets."""

from __future__ import annotations

import os
import signal

import pytest

from bgpy import ConnectionLost, NotRunning, respond


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
