"""Tasks with one response or many."""

from __future__ import annotations

import time

import bgpy


def init_task():
    """Hold nothing."""
    return {"held": None, "calls": 0, "sent": 0}


def exec_task(client_socket, state, args):
    """Respond with the data, hold it, or respond many times with what is held."""
    match args:
        case {"data": data}:
            state["calls"] += 1
            bgpy.respond(client_socket, data)
        case {"hold": thing}:
            state["held"] = thing
            bgpy.respond(client_socket, None)
        case {"stream": count}:
            held = state["held"]
            for _ in range(count):
                bgpy.respond(client_socket, held)
        case {"counted": count}:
            for state["sent"] in range(1, count + 1):
                bgpy.respond(client_socket, state["held"])
        case "sent":
            bgpy.respond(client_socket, state["sent"])
        case {"values": count, "compute": duration_s}:
            for _ in range(count):
                bgpy.respond(client_socket, state["held"])
            compute(duration_s)
        case {"progress": count, "text": text}:
            bgpy.respond(client_socket, progress_ns(count, text))


def exit_task(_client_socket, _state, _args):
    """Leave nothing."""


def compute(duration_s):
    """Use the CPU, in Python, for so long."""
    end = time.perf_counter() + duration_s
    while time.perf_counter() < end:
        pass


def progress_ns(count, text):
    """Return how long a call of `bgpy.progress` takes, in nanoseconds."""
    start = time.perf_counter_ns()
    for done in range(count):
        bgpy.progress(done, count, text)
    return (time.perf_counter_ns() - start) / count
