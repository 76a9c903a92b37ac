"""Waiting in different ways until it is interrupted, in a task of bgpy or in a bare process.

Run as a program, it reads the name of a wait a line, waits until SIGUSR1 interrupts it, and prints
when that was: what a signal costs without bgpy.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time

import bgpy


def sleep():
    """Sleep."""
    time.sleep(3600)


def recv():
    """Wait for bytes that nobody sends."""
    stream, _peer = socket.socketpair()
    stream.recv(1)


def lock():
    """Wait for a lock that nobody releases."""
    held = threading.Lock()
    held.acquire()
    held.acquire()


def loop():
    """Compute."""
    while True:
        pass


WAITS = {"time.sleep": sleep, "socket.recv": recv, "Lock.acquire": lock, "a loop in Python": loop}


def init_task():
    """Nothing was interrupted yet."""
    return {"seen_ns": None}


def exec_task(client_socket, state, args):
    """Wait as the arguments say, or tell when the last wait was interrupted."""
    if args == "seen":
        bgpy.respond(client_socket, state["seen_ns"])
        return
    try:
        with open(args["gate"], "wb", buffering=0) as gate:
            gate.write(b".")
        WAITS[args["wait"]]()
    except bgpy.Cancelled:
        state["seen_ns"] = time.monotonic_ns()
        raise


def exit_task(_client_socket, _state, _args):
    """Leave nothing."""


class Interrupted(BaseException):
    """What the handler of the signal raises."""


def interrupt(_number, _frame):
    """Interrupt a wait."""
    raise Interrupted


def main():
    """Wait as the lines of standard input say."""
    signal.signal(signal.SIGUSR1, interrupt)
    for line in sys.stdin:
        try:
            print("waiting", flush=True)
            WAITS[line.strip()]()
        except Interrupted:
            seen_ns = time.monotonic_ns()
        print(seen_ns, flush=True)


if __name__ == "__main__":
    main()
