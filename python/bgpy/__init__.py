"""Keep a Python process alive in the background, and call it from anywhere.

`start` puts an object of your class into a server, a process of its own, and `connect` returns a
proxy whose methods run there. A `Server` may also run three functions, the tasks, which a `Client`
calls. `servers` lists all servers. Scripts that need only one server of tasks, at the default
address, can use the functions of `bgpy.interface`.
"""

from ._bgpy import (
    Call,
    Client,
    ClientSocket,
    Progress,
    Server,
    ServerInfo,
    Stream,
    __version__,
    callback,
    check_cancelled,
    progress,
    respond,
    shield,
    token_create,
)
from ._deadline import deadline
from ._servers import connect, serve, servers, start
from ._services.calls import begin, options, submit
from ._services.method import method
from ._services.proxy import client
from .errors import (
    AddressInUse,
    AuthError,
    BgpyError,
    CallbackGone,
    CallCancelled,
    CallTimeout,
    Cancelled,
    ConfigError,
    ConnectError,
    ConnectionLost,
    JobLost,
    JobNotFound,
    JobTaken,
    NameTaken,
    NoMethods,
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

# Not imported from typing: that import takes longer than the rest of a server's start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import aio
    from ._calls import as_completed, wait
    from ._jobs import Job, JobInfo, job, jobs

__all__ = [
    "AddressInUse",
    "AuthError",
    "BgpyError",
    "Call",
    "CallCancelled",
    "CallTimeout",
    "CallbackGone",
    "Cancelled",
    "Client",
    "ClientSocket",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "Job",
    "JobInfo",
    "JobLost",
    "JobNotFound",
    "JobTaken",
    "NameTaken",
    "NoMethods",
    "NoResponse",
    "NotInitialized",
    "NotRunning",
    "Overloaded",
    "Progress",
    "ProtocolMismatch",
    "RemoteError",
    "RemoteSerializationError",
    "SerializationError",
    "Server",
    "ServerInfo",
    "ServerStopping",
    "StartError",
    "Stream",
    "WouldDeadlock",
    "__version__",
    "aio",
    "as_completed",
    "begin",
    "callback",
    "check_cancelled",
    "client",
    "connect",
    "deadline",
    "execute",
    "initialize",
    "job",
    "jobs",
    "method",
    "options",
    "progress",
    "respond",
    "serve",
    "servers",
    "shield",
    "start",
    "submit",
    "terminate",
    "token_create",
    "wait",
]


def __getattr__(name: str) -> object:
    # They import `concurrent.futures`, which few scripts need.
    if name in ("as_completed", "wait"):
        from . import _calls

        return getattr(_calls, name)
    if name in ("Job", "JobInfo", "job", "jobs"):
        from . import _jobs

        return getattr(_jobs, name)
    if name == "aio":
        from importlib import import_module

        return import_module(".aio", __name__)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
