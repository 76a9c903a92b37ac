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
    import_module,
    progress,
    respond,
    shield,
    token_create,
)
from ._servers import connect, serve, servers, start
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

# Not imported from typing: that import takes longer than the rest of a server's start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import aio
    from ._calls import as_completed, wait
    from ._deadline import deadline
    from ._jobs import Job, JobInfo, job, jobs
    from ._services.calls import begin, options, submit
    from ._services.method import method
    from ._services.proxy import client
    from .interface import execute, initialize, terminate

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


# What is imported when it is used: a server's process needs none of it to start.
_LATER = {
    "begin": "_services.calls",
    "client": "_services.proxy",
    "deadline": "_deadline",
    "execute": "interface",
    "initialize": "interface",
    "job": "_jobs",
    "Job": "_jobs",
    "JobInfo": "_jobs",
    "jobs": "_jobs",
    "method": "_services.method",
    "options": "_services.calls",
    "submit": "_services.calls",
    "terminate": "interface",
}


def __getattr__(name: str) -> object:
    if name in _LATER:
        found: object = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    elif name in ("as_completed", "wait"):
        # Not by `import_module`: it imports `threading`.
        from . import _calls

        found = getattr(_calls, name)
    elif name in ("aio", "interface"):
        # Likewise.
        found = __import__(f"{__name__}.{name}", fromlist=[name])
    else:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
