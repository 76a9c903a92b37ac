"""Cells of a notebook that are run again: a server of the notebook's own gets the new tasks."""

from __future__ import annotations

from ._fingerprint import fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._bgpy import Server

# The servers that this process has started.
_servers: list[Server] = []
# The tasks that it has sent to servers, by the server's instance.
_sent: dict[str, str] = {}


def note(server: Server) -> None:
    """Note a server that this process has started."""
    _servers.append(server)


def renewed(instance: str, tasks: tuple[Any, ...], is_first: bool) -> bool:
    """Start a server again that has older tasks of this notebook; return whether that was so.

    Parameters
    ----------
    instance : str
        The server to which the tasks were sent.
    tasks : tuple of functions
        The tasks.
    is_first : bool
        Whether the server has taken them, because it had none.
    """
    now = fingerprint(tasks)
    if is_first:
        _sent[instance] = now
        return False
    if _sent.get(instance, now) == now:
        return False
    return any(server._renew(instance) for server in _servers)
