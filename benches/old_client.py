"""bgpy 0.3.1, run by an interpreter of its own: one command a line in, one JSON value a line out.

It starts a server as that version does, which sleeps a second and does not know whether the server
is ready, and prints how long things took in nanoseconds.
"""

import json
import os
import socket
import sys
from time import perf_counter_ns

from bgpy import Client, Server
from echo_tasks import exec_task, exit_task, init_task


def main() -> None:
    """Do what the lines of standard input say, until they end."""
    # The server inherits the standard streams and writes its log to them.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    commands = os.fdopen(os.dup(0))
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)
    port = free_port()
    client = Client("127.0.0.1", port, log_level="ERROR")
    actions = {
        "start": lambda: Server("127.0.0.1", port, log_level="ERROR").run_background(),
        "initialize": lambda: client.initialize(init_task, exec_task, exit_task),
        "terminate": client.terminate,
    }
    for line in commands:
        name, *size = line.split()
        if name == "call":
            data = b"x" * int(size[0])
            start = perf_counter_ns()
            response = client.execute({"data": data}, await_response=True)
            time = perf_counter_ns() - start
            # It adds a key of its own.
            if response["data"] != data:
                raise ValueError("the answer is not what was sent")
        else:
            start = perf_counter_ns()
            actions[name]()
            time = perf_counter_ns() - start
        print(json.dumps(time), file=answers)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
