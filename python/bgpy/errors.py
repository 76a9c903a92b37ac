"""The exceptions that bgpy raises: subclasses of `BgpyError`, and `Cancelled`."""

from __future__ import annotations


class BgpyError(Exception):
    """The base class of all exceptions of bgpy."""


class ConfigError(BgpyError, ValueError):
    """An argument is invalid, such as a port out of range or a task that is not a function."""


class StartError(BgpyError, RuntimeError):
    """A server could not be started; the message contains its error."""


class AddressInUse(StartError, OSError):
    """Another program listens at the address."""


class NameTaken(StartError):
    """A server of this name is already running, or its process has not exited yet."""


class ConnectError(BgpyError, ConnectionError):
    """The connection cannot be established: the host is unknown, or the network fails."""


class NotRunning(ConnectError):
    """No server listens on the address or has the name."""


class ConnectionLost(BgpyError, ConnectionError):
    """The connection was lost before the response arrived. The call may or may not have run."""


class AuthError(BgpyError, PermissionError):
    """Client and server do not have the same token, or the client has none."""


class ProtocolMismatch(BgpyError):
    """The peer is not a bgpy server, or speaks another version of the protocol."""


class CallTimeout(BgpyError, TimeoutError):
    """The time limit of a call, a start or a wait has passed."""


class CallCancelled(BgpyError):
    """The call was cancelled, so it has run in part or not at all."""


class CallbackGone(BgpyError):
    """The call that a callback belongs to is over, so nobody is there who could run it."""


class Cancelled(BaseException):
    """Raised in a task whose call was cancelled.

    It is no `Exception`, so that ``except Exception`` does not swallow it. Let it pass; ``finally``
    and context managers clean up as usual.
    """


class WouldDeadlock(BgpyError, RuntimeError):
    """A task calls its own server, which cannot respond before the task has ended.

    So does a callback that calls the server of the task that waits for the callback.

    It is also raised in a thread that calls the server of a task which waits for that thread by
    `threading.Thread.join` or `concurrent.futures.Future.result`, without a timeout. A task that
    waits for the thread in another way, such as an event or a queue, is not noticed: give such
    calls a timeout.
    """


class NotInitialized(BgpyError):
    """The server has no tasks yet."""


class NoMethods(BgpyError):
    """The server runs tasks, which have no methods."""


class JobNotFound(BgpyError, LookupError):
    """The server knows no such job: it was never submitted there, or is not kept any more."""


class JobLost(JobNotFound):
    """The job is lost: the server has failed, and was started again, since it was submitted."""


class JobTaken(BgpyError, ValueError):
    """A job of the same key calls something else, or with other arguments."""


class NoResponse(BgpyError):
    """The task ended without a response."""


class ServerStopping(BgpyError):
    """The server is stopping and accepts no more calls."""


class Overloaded(BgpyError):
    """The server has too many waiting calls, or too many clients."""


class SerializationError(BgpyError):
    """An object cannot be pickled or unpickled, here or on the server, or the receiver refuses it.

    The message names the part of the object that is to blame. If that part raised an exception,
    that is the ``__cause__``.

    Attributes
    ----------
    exception_type : str or None
        Name of the exception's type on the server, if it was raised there.
    remote_traceback : str or None
        Traceback on the server, if it was raised there.
    """

    exception_type: str | None = None
    remote_traceback: str | None = None


class RemoteError(BgpyError):
    """The task raised an exception, or responded with ``error=True``.

    Attributes
    ----------
    exception : BaseException or None
        The exception of the task, with what led to it, if it can be rebuilt here; also the
        ``__cause__``, unless a method has raised it.
    exception_type : str or None
        Name of the exception's type on the server.
    remote_traceback : str or None
        Traceback on the server.
    response : object
        The response that the task sent with ``error=True``, or None.
    """

    exception: BaseException | None = None
    exception_type: str | None = None
    remote_traceback: str | None = None
    response: object = None


class RemoteSerializationError(RemoteError, SerializationError):
    """The task raised a `SerializationError`, as `respond` does for an object it cannot send."""
