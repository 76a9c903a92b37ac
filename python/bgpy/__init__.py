"""Keep a piece of Python alive in the background and call it from anywhere.

A `Server` runs three functions, the tasks, in a process of its own; a `Client` calls it. Scripts
that are content with one server at the default address take the functions of `bgpy.interface`.
"""

from ._bgpy import Client, ClientSocket, Server, __version__, respond, token_create
from .errors import (
    AddressInUse,
    AuthError,
    BgpyError,
    CallTimeout,
    ConfigError,
    ConnectError,
    ConnectionLost,
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
    "NoResponse",
    "NotInitialized",
    "NotRunning",
    "Overloaded",
    "ProtocolMismatch",
    "RemoteError",
    "RemoteSerializationError",
    "SerializationError",
    "Server",
    "ServerStopping",
    "StartError",
    "__version__",
    "execute",
    "initialize",
    "respond",
    "terminate",
    "token_create",
]
