"""The exceptions that bgpy raises. All of them are `BgpyError`."""

from __future__ import annotations


class BgpyError(Exception):
    """Anything that goes wrong in bgpy."""


class ConfigError(BgpyError, ValueError):
    """An argument is invalid: a port out of range, a task that is no function, an unknown level."""


class StartError(BgpyError, RuntimeError):
    """A server does not start; the message holds its own words."""


class AddressInUse(StartError, OSError):
    """Another program listens at the address."""


class NameTaken(StartError):
    """A server with the name runs already, or its process has not ended."""


class ConnectError(BgpyError, ConnectionError):
    """There is no connection: the name is unknown, or the network refuses."""


class NotRunning(ConnectError):
    """Nobody listens at the address, or has the name."""


class ConnectionLost(BgpyError, ConnectionError):
    """The connection broke before the answer came. The call may or may not have run."""


class AuthError(BgpyError, PermissionError):
    """Client and server do not hold the same token."""


class ProtocolMismatch(BgpyError):
    """The peer is not a bgpy server, or one of another protocol version."""


class CallTimeout(BgpyError, TimeoutError):
    """The time limit has passed."""


class WouldDeadlock(BgpyError, RuntimeError):
    """A task waits for its own server, which cannot answer before the task has ended."""


class NotInitialized(BgpyError):
    """The server has no tasks yet."""


class NoResponse(BgpyError):
    """The task ended without a response."""


class ServerStopping(BgpyError):
    """The server is about to end and takes no more calls."""


class Overloaded(BgpyError):
    """Too many calls wait already."""


class SerializationError(BgpyError):
    """An object cannot be pickled or unpickled, here or on the server, or is refused.

    The message names the part of the object that is to blame, and its ``__cause__`` is what that
    part raised, where it raised something.

    Attributes
    ----------
    exception_type : str or None
        The name of the type of what was raised on the server, if it happened there.
    remote_traceback : str or None
        The traceback on the server, if it happened there.
    """

    exception_type: str | None = None
    remote_traceback: str | None = None


class RemoteError(BgpyError):
    """The task raised, or responded with ``error=True``.

    Attributes
    ----------
    exception : BaseException or None
        What the task raised, where it can be rebuilt here; also the ``__cause__``.
    exception_type : str or None
        The name of its type, as the server knows it.
    remote_traceback : str or None
        The traceback on the server.
    response : object
        What the task responded with ``error=True``, else None.
    """

    exception: BaseException | None = None
    exception_type: str | None = None
    remote_traceback: str | None = None
    response: object = None


class RemoteSerializationError(RemoteError, SerializationError):
    """The task raised a `SerializationError`, as `respond` does for what cannot travel."""
