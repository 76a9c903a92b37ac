"""Calls, connections and large messages for a long time, and what they leave."""

from __future__ import annotations

from time import monotonic

import bgpy
import bgpy_server
from load_tasks import exec_task, exit_task, init_task
from trials import Row, Scale, descriptors, resident_mib
from workspace import Placement, Workspace

# What a process may have more in the end: the allocator keeps some of what was freed.
GROWTH_MIB = 24
SETTLED_S = 30
MEGABYTE = bytes(range(256)) * 4096


def run(scale: Scale) -> list[Row]:
    """Call by both ways, and compare what the server holds before and after."""
    rows = []
    with Workspace(Placement.FREE) as workspace:
        server = bgpy_server.start(workspace)
        with bgpy_server.same_host(server) as client:
            client.initialize(init_task, exec_task, exit_task)
            for _ in range(20):
                assert client.call(MEGABYTE) == MEGABYTE
            settled = held(server, client)
        for what, open_client in (
            ("a Unix socket", lambda: bgpy_server.same_host(server)),
            ("encrypted TCP", lambda: bgpy_server.by_tcp(workspace, server)),
        ):
            rows.append(calls(scale.count(1_000_000, 1000), what, open_client))
            rows.append(reconnects(scale.count(10_000, 100), what, workspace, server))
            rows.append(megabytes(scale.count(2000, 20), what, open_client))
        with bgpy_server.same_host(server) as client:
            assert client.call("still there") == "still there"
            grown = [now - then for now, then in zip(held(server, client), settled, strict=True)]
    assert grown[0] < GROWTH_MIB, f"the server has grown by {grown[0]:.1f} MiB"
    assert grown[1] <= 0, f"{grown[1]} descriptors are left"
    seen = f"{grown[0]:+.1f} MiB resident, {grown[1]:+d} file descriptors"
    return [*rows, Row("growth of the server after all of these", seen)]


def held(server: bgpy.Server, client: bgpy.Client) -> tuple[float, int]:
    """Return the memory and the descriptors of a server, once this is its only client."""
    limit = monotonic() + SETTLED_S
    while client.status()["clients"] > 1:
        assert monotonic() < limit, "clients are left"
    return resident_mib(server.pid), descriptors(server.pid)


def calls(count: int, what: str, open_client) -> Row:
    """Make small calls over one connection."""
    with open_client() as client:
        for number in range(count):
            assert client.call(number) == number
    return Row(f"{count:,} small calls over {what}", "each call returned its own argument")


def reconnects(count: int, what: str, workspace: Workspace, server: bgpy.Server) -> Row:
    """Make a call over each of many connections."""
    port, token = server.port, server.token
    if what == "a Unix socket":
        connect_all(count, port, token)
    else:
        with bgpy_server.out_of_sight(workspace):
            connect_all(count, port, token)
    return Row(f"{count:,} connections over {what}, with one call each", "every call was answered")


def connect_all(count: int, port: int, token: str) -> None:
    """Open, call, close."""
    for number in range(count):
        with bgpy.Client(bgpy_server.HOST, port, token) as client:
            assert client.call(number) == number


def megabytes(count: int, what: str, open_client) -> Row:
    """Send a megabyte and get it back."""
    with open_client() as client:
        for _ in range(count):
            assert client.call(MEGABYTE) == MEGABYTE
    return Row(f"{count:,} messages of 1 MB and back over {what}", "each came back unchanged")
