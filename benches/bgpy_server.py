"""Servers of bgpy in the background, and clients that come to them by Unix socket or by TCP."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil

import bgpy
from workspace import Workspace

HOST = "127.0.0.1"
STOP_S = 30.0


def start(workspace: Workspace) -> bgpy.Server:
    """Start a server, which ends with the workspace if not before."""
    server = bgpy.Server(HOST, 0, bgpy.token_create())
    with workspace.starting_servers():
        server.run_background()
    workspace.exits.callback(stop, server)
    return server


def make(client: bgpy.Client, factory: type) -> None:
    """Have the server make its object, as `bgpy.start` does."""
    client._start_service(factory)


def stop(server: bgpy.Server) -> None:
    """End a server by its exit task, else by its process id. Twice is once."""
    try:
        server.stop(STOP_S)
    except bgpy.BgpyError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, signal.SIGKILL)


def same_host(server: bgpy.Server) -> bgpy.Client:
    """Connect as a script on the server's machine does: by its Unix socket.

    It is given the token because finding the server in the registry is not what is measured.
    """
    return connected(bgpy.Client(HOST, server.port, server.token), server, tcp=False)


def by_tcp(workspace: Workspace, server: bgpy.Server) -> bgpy.Client:
    """Connect as from another machine: TCP, encrypted, is all there is."""
    with out_of_sight(workspace):
        return connected(bgpy.Client(HOST, server.port, server.token), server, tcp=True)


@contextlib.contextmanager
def out_of_sight(workspace: Workspace) -> Iterator[None]:
    """Clients that connect in here do not find the registry, and so no Unix socket."""
    os.environ["BGPY_RUNTIME_DIR"] = str(workspace.directory / "elsewhere")
    try:
        yield
    finally:
        os.environ["BGPY_RUNTIME_DIR"] = str(workspace.registry)


def connected(client: bgpy.Client, server: bgpy.Server, *, tcp: bool) -> bgpy.Client:
    """Open the connection, and make sure that it is of the kind that is meant."""
    before = connections_tcp(server)
    client.ping()
    if connections_tcp(server) - before != tcp:
        raise RuntimeError(f"the connection {'is not' if tcp else 'is'} one of TCP")
    return client


def connections_tcp(server: bgpy.Server) -> int:
    """Return how many connections of TCP a server has."""
    found = psutil.Process(server.pid).net_connections("tcp")
    return sum(connection.status == psutil.CONN_ESTABLISHED for connection in found)
