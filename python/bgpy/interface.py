"""One server at a default address, as functions."""

from __future__ import annotations

import os

from ._bgpy import Client, Server, respond
from .core.environment import HOST, PORT
from .errors import AddressInUse, ConnectionLost, NotRunning, ServerStopping, StartError

# Importing typing takes longer than all the rest of a server's start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["execute", "initialize", "respond", "terminate"]

_clients: dict[tuple[str, int, str | None], Client] = {}


def initialize(
    init_task: Any,
    exec_task: Any,
    exit_task: Any,
    host: Any = HOST,
    port: Any = PORT,
    timeout: float | None = None,
) -> dict[str, str]:
    """Start a server in the background, unless one listens already, and give it its tasks.

    The order ``initialize(host, port, init_task, exec_task, exit_task)`` is taken as well. A server
    is started only on this machine.

    Parameters
    ----------
    init_task, exec_task, exit_task : callable
        The tasks, see `bgpy.Client.initialize`.
    host : str, optional
        Name or IP address of the server's machine.
    port : int, optional
        Port that it listens on.
    timeout : float, optional
        Seconds that the start and `init_task` may take, each.

    Returns
    -------
    dict
        ``{"message": "Initialization successful."}``, or ``{"message": "Already initialized."}``.

    Raises
    ------
    BgpyError
        As `bgpy.Server.run_background` and `bgpy.Client.initialize`. A server that was started by
        this call is ended again.
    """
    if isinstance(init_task, str):
        host, port, init_task, exec_task, exit_task = init_task, exec_task, exit_task, host, port
    client = _client(host, port)
    try:
        client.ping(timeout)
        return client.initialize(init_task, exec_task, exit_task, timeout)
    except (NotRunning, ServerStopping, ConnectionLost) as error:
        # One that is about to end has given up its address: a successor can be started.
        client.close()
        nobody = error
    server = Server(host, port)
    try:
        server.run_background(timeout)
    except AddressInUse:
        # Somebody else was faster, and theirs is as good.
        return client.initialize(init_task, exec_task, exit_task, timeout)
    except StartError as error:
        # The address is not this machine's: what is missing is a server over there.
        raise nobody from error
    try:
        return client.initialize(init_task, exec_task, exit_task, timeout)
    except BaseException:
        server.stop()
        raise


def execute(
    exec_args: Any,
    await_response: bool = False,
    host: str = HOST,
    port: int = PORT,
    timeout: float | None = None,
) -> Any:
    """Send `exec_task` its arguments; see `bgpy.Client.execute`."""
    return _client(host, port).execute(exec_args, await_response, timeout)


def terminate(
    exit_args: Any = None,
    await_response: bool = False,
    host: str = HOST,
    port: int = PORT,
    timeout: float | None = None,
) -> Any:
    """Run `exit_task` and end the server; see `bgpy.Client.terminate`."""
    client = _client(host, port)
    try:
        return client.terminate(exit_args, await_response, timeout)
    finally:
        client.close()


def _client(host: str, port: int) -> Client:
    """Return the client of a server; it keeps its connection between calls."""
    # The registry and the token come from the environment, so a client belongs to one.
    key = (host, port, os.environ.get("BGPY_TOKEN"))
    client = _clients.get(key)
    if client is None:
        client = _clients.setdefault(key, Client(host, port))
    return client
