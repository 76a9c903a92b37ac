"""The ways of calling that are measured beside each other, each named ``module:Class``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .way import Way

BASE = "ways.raw:Tcp"
FLOOR = "ways.raw:Unix"
SAME_HOST = "ways.bgpy_calls:SameHost"
ENCRYPTED = "ways.bgpy_calls:Encrypted"
METHOD_SAME_HOST = "ways.bgpy_calls:MethodSameHost"
METHOD_ENCRYPTED = "ways.bgpy_calls:MethodEncrypted"
METHOD_PEERS = [
    "ways.pyro:Unix",
    "ways.pyro:Tcp",
    "ways.rpyc_calls:Unix",
    "ways.rpyc_calls:Tcp",
    "ways.managers:Unix",
]
LARGE_STATE = "ways.bgpy_calls:LargeState"
OLD = "ways.old_bgpy:Old"
FLOOR_BULK = "ways.raw:BulkUnix"

PEERS = [
    "ways.managers:Unix",
    "ways.managers:Tcp",
    "ways.zeromq:Ipc",
    "ways.zeromq:Tcp",
    "ways.pyro:Unix",
    "ways.pyro:Tcp",
    "ways.rpyc_calls:Unix",
    "ways.rpyc_calls:Tcp",
    "ways.grpc_calls:Unix",
    "ways.grpc_calls:Tcp",
]

SMALL = [BASE, FLOOR, SAME_HOST, ENCRYPTED, *PEERS]
BULK = [
    "ways.raw:Copies",
    "ways.raw:BulkTcp",
    FLOOR_BULK,
    SAME_HOST,
    ENCRYPTED,
    *PEERS,
]


MEMCPY = "ways.raw:Memcpy"
PICKLE = "ways.raw:Pickle"
ONE_WAY_TCP = "ways.raw:OneWayTcp"
ONE_WAY_UNIX = "ways.raw:OneWayUnix"
OBJECTS_SAME_HOST = "ways.bgpy_calls:ObjectsSameHost"
OBJECTS_ENCRYPTED = "ways.bgpy_calls:ObjectsEncrypted"

# RPyC is not among them: it leaves objects where they are, and takes a second for 10 MB of bytes.
OBJECT_PEERS_FAST = ["ways.managers:Unix", "ways.zeromq:PartsIpc"]
OBJECT_PEERS = [
    *OBJECT_PEERS_FAST,
    "ways.pyro:Unix",
    "ways.grpc_calls:Unix",
    "ways.managers:Tcp",
    "ways.zeromq:PartsTcp",
    "ways.pyro:Tcp",
    "ways.grpc_calls:Tcp",
]

# With many calls in flight, or many responses to a call.
FLOW_AIO = "ways.bgpy_flows:Aio"
FLOW_AIO_GATHER = "ways.bgpy_flows:AioGather"
FLOW_AIO_ENCRYPTED = "ways.bgpy_flows:AioEncrypted"
FLOW_BLOCKING = "ways.bgpy_flows:Blocking"
FLOW_ENCRYPTED = "ways.bgpy_flows:BlockingEncrypted"
FLOW_FLOOR = "ways.raw_flows:Asyncio"
FLOW_FUTURES = "ways.gather_alone:Futures"
FLOW_TASKS = "ways.gather_alone:Tasks"
FLOW_SOCKETS = "ways.raw_flows:Sockets"
FLOW_RAY = "ways.ray_flows:Calls"
FLOW_PEERS = [
    "ways.grpc_flows:Aio",
    "ways.zeromq_flows:Thread",
    "ways.zeromq_flows:Asyncio",
    "ways.rpyc_flows:Unix",
    "ways.pyro_flows:Unix",
]
# RPyC leaves objects where they are.
FLOW_OBJECT_PEERS = [
    "ways.grpc_flows:Aio",
    "ways.zeromq_flows:Thread",
    "ways.zeromq_flows:Asyncio",
    "ways.pyro_flows:UnixPickled",
]


def load(name: str) -> type[Way]:
    """Import the class of a way."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
