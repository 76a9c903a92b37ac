"""Tasks of a server that keeps a value and counts the requests that change it."""

from typing import Any

from bgpy import ClientSocket, respond


def init_task() -> dict[str, Any]:
    """Return the initial state: no requests so far, and a value of 1000."""
    return {"request_count": 0, "value": 1000}


def exec_task(
    client_socket: ClientSocket, init_args: dict[str, Any], exec_args: dict[str, Any]
) -> dict[str, Any]:
    """Change the value: "increase" or "decrease" it by "value_change"."""
    init_args["request_count"] += 1
    if exec_args["command"] == "increase":
        init_args["value"] += exec_args["value_change"]
    elif exec_args["command"] == "decrease":
        init_args["value"] -= exec_args["value_change"]
    return init_args


def exit_task(
    client_socket: ClientSocket, init_args: dict[str, Any], exit_args: dict[str, Any]
) -> None:
    """Count the last request, and respond with the state."""
    init_args["request_count"] += 1
    init_args["status"] = "Exited."
    respond(client_socket, init_args)
