"""Tasks that send back what they are sent, and count."""

from __future__ import annotations

import bgpy


def init_task():
    """Count from nothing."""
    return {"calls": 0, "in_order": True}


def exec_task(client_socket, state, args):
    """Send back what has come, wait, or tell what has come in its order."""
    match args:
        case {"wait": path}:
            with open(path, "rb", buffering=0) as pipe:
                pipe.read(1)
        case {"queued": number}:
            state["in_order"] &= number == state["calls"]
            state["calls"] += 1
            return
        case "queued?":
            args = state["calls"], state["in_order"]
    bgpy.respond(client_socket, args)


def exit_task(_client_socket, _state, _args):
    """Leave nothing."""
