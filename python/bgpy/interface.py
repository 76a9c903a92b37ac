"""Functions for scripts with a single server, at a default address."""

from __future__ import annotations

import os

from ._bgpy import Client, Server, respond
from ._servers import start_tasks
from .core.environment import HOST, PORT
from .errors import AddressInUse, ConnectionLost, NotRunning, ServerStopping, StartError

# Not imported from typing: that import takes longer than the rest of a server's start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["execute", "initialize", "respond", "terminate"]

_clients: dict[tuple[str, int, str | None], Client] = {}


def initialize(
    init_task: Any,
    exec_task: Any,
    exit_task: Any = None,
    host: Any = HOST,
    port: Any = PORT,
    timeout: float | None = None,
) -> dict[str, str]:
    """Start a server in the background, unless one is already listening, and send it its tasks.

    ``initialize(host, port, init_task, exec_task, exit_task)`` works as well. A server can be
    started only on this machine.

    Parameters
    ----------
    init_task, exec_task, exit_task : callable
        The tasks, see `bgpy.Client.initialize`. The last one may be left out.
    host : str, optional
        Host name or IP address of the server.
    port : int, optional
        Port that it listens on.
    timeout : float, optional
        Maximum time for the start, and again for `init_task`, in seconds.

    Returns
    -------
    dict
        ``{"message": "Initialization successful."}``, or ``{"message": "Already initialized."}``.

    Raises
    ------
    BgpyError
        As for `bgpy.Server.run_background` and `bgpy.Client.initialize`. A server that this call
        started is stopped again.
    """
    if isinstance(init_task, str):
        host, port, init_task, exec_task, exit_task = init_task, exec_task, exit_task, host, port
        exit_task = None if exit_task == PORT else exit_task
    client = _client(host, port)
    try:
        client.ping(timeout)
        return client.initialize(init_task, exec_task, exit_task, timeout)
    except (NotRunning, ServerStopping, ConnectionLost) as error:
        # A server that is stopping no longer listens on its address: another one can start there.
        client.close()
        not_running = error
    server = Server(host, port)
    try:
        server.run_background(timeout)
    except AddressInUse:
        # Another process has started a server there in the meantime.
        return client.initialize(init_task, exec_task, exit_task, timeout)
    except StartError as error:
        # If the address is another machine's, the actual error is that no server runs there.
        raise not_running from error
    return start_tasks(server, client, (init_task, exec_task, exit_task), timeout)


def execute(
    exec_args: Any,
    await_response: bool = False,
    host: str = HOST,
    port: int = PORT,
    timeout: float | None = None,
) -> Any:
    """Call `exec_task`; see `bgpy.Client.execute`."""
    return _client(host, port).execute(exec_args, await_response, timeout)


def terminate(
    exit_args: Any = None,
    await_response: bool = False,
    host: str = HOST,
    port: int = PORT,
    timeout: float | None = None,
) -> Any:
    """Run `exit_task` and stop the server; see `bgpy.Client.terminate`."""
    client = _client(host, port)
    try:
        return client.terminate(exit_args, await_response, timeout)
    finally:
        client.close()


def _client(host: str, port: int) -> Client:
    """Return the client of an address, which keeps its connection between calls."""
    # The token may come from the environment, so each value of the variable has its own client.
    key = (host, port, os.environ.get("BGPY_TOKEN"))
    client = _clients.get(key)
    if client is None:
        client = _clients.setdefault(key, Client(host, port))
    return client
