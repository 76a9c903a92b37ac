"""Start a server that remembers notes. The server keeps running after this script ends.

Usage: python start.py [PORT]
"""

import sys

from bgpy import Client, Server, respond
from bgpy.core.environment import HOST, PORT


def init_task():
    return {"notes": []}


def exec_task(client_socket, state, args):
    if args["note"]:
        state["notes"].append(args["note"])
    respond(client_socket, state["notes"])
    return state


def exit_task(client_socket, state, args):
    print(len(state["notes"]), "notes are gone")  # the output of tasks goes to the server's log


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    server = Server(HOST, port)
    server.run_background()
    Client(HOST, server.port).initialize(init_task, exec_task, exit_task)
    print(f"a server remembers notes on port {server.port}, in process {server.pid}")
