"""Tasks that work with objects as `ways.way.Shelf` does."""

from bgpy.server import respond


def init_task():
    """Hold nothing."""
    return {"held": None}


def exec_task(client_socket, state, args):
    """Tell the length of an object, keep it, make one, or respond with the one that is kept."""
    work = args["work"]
    if work == "held":
        respond(client_socket, state["held"])
        return state
    if work == "hold":
        state["held"] = args["thing"]
    if work == "make":
        import numpy as np

        state["held"] = np.ones(args["thing"])
        respond(client_socket, args["thing"])
        return state
    respond(client_socket, len(args["thing"]))
    return state


def exit_task(client_socket, state, args):
    """Do nothing."""
