"""Keep a Python process alive in the background, and call it from anywhere.

A `Server` runs three functions, the tasks, in its own process, and a `Client` calls them. `start`
starts a server with a name, `connect` finds it by that name, and `servers` lists all servers.
Scripts that need only one server, at the default address, can use the functions of
`bgpy.interface`.
"""

from ._bgpy import Client, ClientSocket, Server, ServerInfo, __version__, respond, token_create
from ._servers import connect, servers, start
from .errors import (
    AddressInUse,
    AuthError,
    BgpyError,
    CallTimeout,
    ConfigError,
    ConnectError,
    ConnectionLost,
    NameTaken,
    NoResponse,
    NotInitialized,
    NotRunning,
    Overloaded,
    ProtocolMismatch,
    RemoteError,
    RemoteSerializationError,
    SerializationError,
    ServerStopping,
    StartError,
    WouldDeadlock,
)
from .interface import execute, initialize, terminate

__all__ = [
    "AddressInUse",
    "AuthError",
    "BgpyError",
    "CallTimeout",
    "Client",
    "ClientSocket",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "NameTaken",
    "NoResponse",
    "NotInitialized",
    "NotRunning",
    "Overloaded",
    "ProtocolMismatch",
    "RemoteError",
    "RemoteSerializationError",
    "SerializationError",
    "Server",
    "ServerInfo",
    "ServerStopping",
    "StartError",
    "WouldDeadlock",
    "__version__",
    "connect",
    "execute",
    "initialize",
    "respond",
    "servers",
    "start",
    "terminate",
    "token_create",
]
