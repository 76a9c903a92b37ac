"""Functions to start a server, connect to one by its name, and list all servers."""

from __future__ import annotations

import os
from os import PathLike, fspath

from ._bgpy import Client, Server, ServerInfo, survey, table
from ._fingerprint import fingerprint
from .core.environment import HOST
from .errors import CallTimeout, ConfigError

# Not imported from typing: that import takes longer than the rest of a server's start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, overload

    from ._types import Factory, Functions, LogLevel, RestartPolicy, Tasks

    T = TypeVar("T")
    Target = str | PathLike[str] | Server | Client
else:

    def overload(function):
        return function


def start(
    tasks: Tasks | Factory,
    name: str | None = None,
    *,
    exist_ok: bool = False,
    replace: bool = False,
    env: dict[str, str] | None = None,
    cwd: str | PathLike[str] | None = None,
    python: str | PathLike[str] | None = None,
    timeout: float | None = None,
    host: str = HOST,
    port: int = 0,
    token: str | None = None,
    log_level: LogLevel = "INFO",
    log_file: str | PathLike[str] | None = None,
    idle_timeout: float | None = None,
    threads: int | None = None,
    restart: RestartPolicy = "never",
    auth: bool = True,
    allow_weak_token: bool = False,
    allow_pickle: bool = True,
    max_message_bytes: int | None = None,
) -> Server:
    """Start a server in the background, with its object or tasks, and return when it is ready.

    Parameters
    ----------
    tasks : class, path, str, or tuple of functions
        A class, whose object lives in the server, or another callable that makes it, such as
        ``functools.partial(Counter, 5)``; or where to find it: ``"counter.py:Counter"`` or
        ``"package.module:Counter"``. For a server of tasks, a Python file that defines
        ``init_task``, ``exec_task`` and, if needed, ``exit_task``, the name of a module that does,
        or the functions themselves, in this order.
    name : str, optional
        Name of the server, see `Server`. By default that of the file or module; a server whose
        class or tasks this script sends has none.
    exist_ok : bool, default False
        Whether to succeed if a server of this name is already running. That server keeps its tasks
        and options; a `RuntimeWarning` names those that differ.
    replace : bool, default False
        Whether to end the server of this name, if there is one, and to start this one in its place,
        see `Server.run_background`.
    env, cwd, python
        Environment, working directory and interpreter of the server, see `Server.run_background`.
    timeout : float, optional
        Time limit in seconds for the start (and, with `replace`, for stopping the old server). With
        a class or functions, the same limit applies again to its ``__init__`` or ``init_task``.
    host, port, token, log_level, log_file, idle_timeout, threads, restart, auth
        See `Server`.
    allow_weak_token, allow_pickle, max_message_bytes
        See `Server`.

    Returns
    -------
    Server
        The server, ready for calls.

    Raises
    ------
    NameTaken
        If a server of this name is already running.
    ConfigError
        If the file's or module's name cannot be the name of a server: pass `name`.
    BgpyError
        As for `Server`, `Server.run_background` and `Client.initialize`. A server that this call
        started is stopped again.
    """
    origin: dict[str, Any] = {}
    sent: Functions | Factory | None = None
    if isinstance(tasks, tuple):
        if len(tasks) not in (2, 3):
            count = len(tasks)
            text = "tasks must be (init_task, exec_task) or (init_task, exec_task, exit_task)"
            raise ConfigError(f"{text}, not a tuple of {count}")
        sent = tasks
    elif callable(tasks):
        if _needs_arguments(tasks):
            raise ConfigError(
                f"{tasks.__name__} needs arguments, so it makes no object: tasks are a tuple of "
                "functions, not one function, and functools.partial gives a function its arguments"
            )
        sent = tasks
    else:
        origin, name = _origin(tasks, name)
    server = Server(
        host,
        port,
        token,
        log_level,
        log_file,
        name=name,
        idle_timeout=idle_timeout,
        threads=threads,
        restart=restart,
        auth=auth,
        allow_weak_token=allow_weak_token,
        allow_pickle=allow_pickle,
        max_message_bytes=max_message_bytes,
        **origin,
    )
    if sent is not None:
        server._note_tasks(fingerprint(sent if isinstance(sent, tuple) else (sent,)))
    server.run_background(
        timeout, exist_ok=exist_ok, replace=replace, env=env, cwd=cwd, python=python
    )
    if sent is not None:
        auth = server.token is not None or auth
        with Client(server.target, token=server.token, auth=auth) as client:
            if server.is_started_here:
                start_tasks(server, client, sent, timeout)
            else:
                # One with tasks keeps them; otherwise this waits for those of another starter.
                status = client.status(timeout)
                if status["state"] == "UNINITIALIZED" or status["task"] == "init_task":
                    _initialize(client, sent, timeout)
    return server


def start_tasks(
    server: Server,
    client: Client,
    tasks: Functions | Factory,
    timeout: float | None,
) -> dict[str, str]:
    """Send a server that this process has just started its tasks; end it if they do not start."""
    try:
        return _initialize(client, tasks, timeout)
    except CallTimeout:
        late = f"did not finish within {timeout:g}s"
        begins = (
            "init_task" if isinstance(tasks, tuple) else getattr(tasks, "__name__", "its object")
        )
        server._abandon(f"{begins} {late}: ended by its starter")
        text = f"{begins} of {server.target} {late}; the server was ended"
        raise CallTimeout(text) from None
    except Exception:
        server.stop()
        raise
    except BaseException:
        # Ctrl-C, for which init_task may be the reason.
        server._abandon("its start was interrupted")
        raise


def _initialize(
    client: Client, tasks: Functions | Factory, timeout: float | None
) -> dict[str, str]:
    if not isinstance(tasks, tuple):
        return client._start_service(tasks, timeout)
    init_task, exec_task, *exit_task = tasks
    return client.initialize(init_task, exec_task, exit_task[0] if exit_task else None, timeout)


@overload
def connect(
    target: Target,
    cls: type[T],
    *,
    token: str | None = None,
    auth: bool = True,
    allow_pickle: bool = True,
    max_message_bytes: int | None = None,
    timeout: float | None = None,
) -> T: ...


@overload
def connect(  # noqa: F811
    target: Target,
    cls: None = None,
    *,
    token: str | None = None,
    auth: bool = True,
    allow_pickle: bool = True,
    max_message_bytes: int | None = None,
    timeout: float | None = None,
) -> Client: ...


def connect(  # noqa: F811
    target: Any,
    cls: type | None = None,
    *,
    token: str | None = None,
    auth: bool = True,
    allow_pickle: bool = True,
    max_message_bytes: int | None = None,
    timeout: float | None = None,
) -> Any:
    """Connect to a server.

    Parameters
    ----------
    target : str, path, Server or Client
        The server's name, ``host:port``, ``[address]:port`` for IPv6, or the path of its socket; or
        a server that this process has started. With a client, it is used and nothing else is.
    cls : type, optional
        The class of the object that lives in the server. To type checkers, the result is such an
        object. A `RuntimeWarning` says what the server's object has otherwise.
    token, auth, allow_pickle, max_message_bytes
        See `Client`.
    timeout : float, optional
        Maximum time to wait, in seconds.

    Returns
    -------
    Client or proxy
        A connected client; with `cls` a proxy, a local object whose methods run in the server.

    Raises
    ------
    ConfigError
        If the target is invalid.
    NoMethods
        If `cls` is passed and the server runs tasks.
    NotRunning, ConnectError, AuthError, ProtocolMismatch, CallTimeout
        If the connection cannot be established.
    """
    if cls is not None and not isinstance(cls, type):
        raise TypeError(f"cls must be a class, not {type(cls).__name__}")
    client = client_of(
        target,
        token=token,
        auth=auth,
        allow_pickle=allow_pickle,
        max_message_bytes=max_message_bytes,
    )
    if cls is not None:
        return client.service(cls, timeout)
    client.ping(timeout)
    return client


def client_of(target: Any, token: str | None = None, **options: Any) -> Client:
    """Return a client of a server, not yet connected, or the client that was passed."""
    if isinstance(target, Client):
        return target
    if isinstance(target, Server):
        token = target.token if token is None else token
        target = target.target
    elif not isinstance(target, (str, PathLike)):
        kind = type(target).__name__
        raise TypeError(f"target must be a name, host:port or socket path, not {kind}")
    return Client(fspath(target), token=token, **options)


def serve(
    service: str | PathLike[str] | Factory,
    name: str | None = None,
    *,
    host: str = HOST,
    port: int = 0,
    token: str | None = None,
    log_level: LogLevel = "INFO",
    log_file: str | PathLike[str] | None = None,
    idle_timeout: float | None = None,
    threads: int | None = None,
    auth: bool = True,
    allow_weak_token: bool = False,
    allow_pickle: bool = True,
    max_message_bytes: int | None = None,
) -> None:
    """Run a server in this process until a client or a signal ends it.

    Parameters
    ----------
    service : class, callable, path or str
        What `start` takes, without tuples of functions.
    name, host, port, token, log_level, log_file, idle_timeout, threads, auth
        See `Server`.
    allow_weak_token, allow_pickle, max_message_bytes
        See `Server`.

    Raises
    ------
    BgpyError
        As for `Server` and `Server.run`.
    """
    origin: dict[str, Any] = {}
    if not callable(service):
        origin, name = _origin(service, name)
    server = Server(
        host,
        port,
        token,
        log_level,
        log_file,
        name=name,
        idle_timeout=idle_timeout,
        threads=threads,
        auth=auth,
        allow_weak_token=allow_weak_token,
        allow_pickle=allow_pickle,
        max_message_bytes=max_message_bytes,
        **origin,
    )
    if callable(service):
        server._serve(service)
    else:
        server.run()


class ServerList(list[ServerInfo]):
    """A list of servers, which terminals and notebooks display as a table."""

    def __repr__(self) -> str:
        return table(list(self))

    def _repr_html_(self) -> str:
        return table(list(self), as_html=True)


def servers(ended: bool = False, timeout: float | None = None) -> ServerList:
    """List the servers of this user on this machine, the most recently started first.

    Parameters
    ----------
    ended : bool, default False
        Whether to include servers that have ended.
    timeout : float, optional
        Maximum time to wait for each server's answer, in seconds, at most 2. A server that does not
        answer is STALE.

    Returns
    -------
    ServerList
        A list of `ServerInfo`, which is displayed as a table.

    Raises
    ------
    ConfigError
        If the registry's directory belongs to another user or is accessible to others, and so
        cannot be trusted.
    """
    return ServerList(survey(ended, timeout))


def _default_name(place: str, is_file: bool) -> str:
    name = os.path.splitext(os.path.basename(place))[0] if is_file else place.split(".")[-1]
    try:
        Server(name=name)
    except ConfigError as error:
        raise ConfigError(f"{error}; or pass name=") from None
    return name


def _needs_arguments(factory: Factory) -> bool:
    """Return whether something is a plain function that cannot be called without arguments."""
    code = getattr(factory, "__code__", None)
    if code is None or isinstance(factory, type):
        return False
    bound = hasattr(factory, "__self__")
    return bool(code.co_argcount - bound > len(getattr(factory, "__defaults__", None) or ()))


def _origin(tasks: str | PathLike[str], name: str | None) -> tuple[dict[str, Any], str]:
    """Return where a server imports its program from, as `Server` takes it, and its name."""
    place, of_place = _place(tasks)
    is_file = _is_file(place)
    origin = {"init_file" if is_file else "init_module": place, "init_object": of_place}
    return origin, _default_name(place, is_file) if name is None else name


def _place(tasks: str | PathLike[str]) -> tuple[str, str | None]:
    """Split off the class or function of ``"counter.py:Counter"``, if there is one."""
    if not isinstance(tasks, str | PathLike):
        what = "None" if tasks is None else f"an object of {type(tasks).__name__}"
        raise TypeError(
            "pass a class, a function that returns an object, a tuple of tasks, or text such as "
            f"'counter.py:Counter', not {what}: the object is made in the server"
        )
    place = fspath(tasks)
    if isinstance(tasks, str):
        before, _, name = place.rpartition(":")
        # The colon of a drive has nothing but a path behind it.
        is_path = name.endswith(".py")
        if before and not is_path and all(part.isidentifier() for part in name.split(".")):
            return before, name
    return place, None


def _is_file(tasks: str | PathLike[str]) -> bool:
    """Return whether tasks are a path, and not the name of a module."""
    if not isinstance(tasks, str) or tasks.endswith(".py"):
        return True
    return not all(part.isidentifier() for part in tasks.split("."))
