"""Tasks that echo, for bgpy of today and for bgpy 0.3.1."""

from bgpy.server import respond

LARGE_BYTES = 1 << 30


def init_task():
    """Make a small state."""
    return {"calls": 0}


def init_task_large():
    """Make a state of 1 GiB, all of it written to."""
    return {"calls": 0, "ballast": bytearray(b"\x01") * LARGE_BYTES}


def exec_task(client_socket, state, args):
    """Respond with the arguments, and change the state."""
    state["calls"] += 1
    respond(client_socket, args)
    return state


def exit_task(client_socket, state, args):
    """Do nothing."""
