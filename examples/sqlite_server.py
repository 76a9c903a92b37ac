"""One SQLite connection for many callers, without locks.

All tasks run on the server's main thread, one after the other. So `exec_task` can use a connection
that `init_task` has opened, although SQLite binds a connection to the thread that opened it.

Usage: python sqlite_server.py [PORT]
"""

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor

from bgpy import Client, RemoteError, Server, respond

HOST = "127.0.0.1"


def init_task():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE visits (day TEXT, guests INTEGER)")
    return {"connection": connection}


def exec_task(client_socket, state, args):
    with state["connection"] as connection:  # commits, or rolls back if the block raises
        rows = connection.execute(args["sql"], args.get("values", ())).fetchall()
    respond(client_socket, rows)


def exit_task(client_socket, state, args):
    state["connection"].close()


def main(port):
    with Server(HOST, port) as server:
        client = Client(HOST, server.port)
        client.initialize(init_task, exec_task, exit_task)

        def add(day):
            values = (f"day {day}", day * 10)
            client.call({"sql": "INSERT INTO visits VALUES (?, ?)", "values": values})

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(add, range(1, 101)))

        print(client.call({"sql": "SELECT count(*), sum(guests) FROM visits"}))
        try:
            client.call({"sql": "SELECT * FROM guests"})
        except RemoteError as error:
            print(f"the server keeps running after {error.exception!r}")
        print(client.call({"sql": "SELECT * FROM visits ORDER BY guests DESC LIMIT 1"}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
