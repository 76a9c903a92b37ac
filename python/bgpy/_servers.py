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
    from typing import Any

    from ._types import Functions, LogLevel, RestartPolicy, Tasks


def start(
    tasks: Tasks,
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
    restart: RestartPolicy = "never",
    auth: bool = True,
    allow_weak_token: bool = False,
    allow_pickle: bool = True,
    max_message_bytes: int | None = None,
) -> Server:
    """Start a server in the background, with its tasks, and return when it is ready.

    Parameters
    ----------
    tasks : path, str, or tuple of functions
        A Python file that defines ``init_task``, ``exec_task`` and, if needed, ``exit_task``, the
        name of a module that does, or the functions themselves, in this order.
    name : str, optional
        Name of the server, see `Server`. By default that of the file or module; a server whose
        tasks are functions has none.
    exist_ok : bool, default False
        Whether to succeed if a server of this name is already running. That server keeps its tasks
        and options; a `RuntimeWarning` names those that differ.
    replace : bool, default False
        Whether to end the server of this name, if there is one, and to start this one in its place,
        see `Server.run_background`.
    env, cwd, python
        Environment, working directory and interpreter of the server, see `Server.run_background`.
    timeout : float, optional
        Maximum time for the start, with `replace` also for the end of the old server, in seconds;
        functions get the same time again for ``init_task``.
    host, port, token, log_level, log_file, idle_timeout, restart, auth
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
    if callable(tasks):
        raise ConfigError(
            "tasks must be a file, the name of a module or a tuple of functions, not one function"
        )
    if not isinstance(tasks, tuple):
        is_file = _is_file(tasks)
        origin["init_file" if is_file else "init_module"] = place = fspath(tasks)
        if name is None:
            name = _default_name(place, is_file)
    elif len(tasks) not in (2, 3):
        count = len(tasks)
        text = "tasks must be (init_task, exec_task) or (init_task, exec_task, exit_task)"
        raise ConfigError(f"{text}, not a tuple of {count}")
    server = Server(
        host,
        port,
        token,
        log_level,
        log_file,
        name=name,
        idle_timeout=idle_timeout,
        restart=restart,
        auth=auth,
        allow_weak_token=allow_weak_token,
        allow_pickle=allow_pickle,
        max_message_bytes=max_message_bytes,
        **origin,
    )
    if isinstance(tasks, tuple):
        server._note_tasks(fingerprint(tasks))
    server.run_background(
        timeout, exist_ok=exist_ok, replace=replace, env=env, cwd=cwd, python=python
    )
    if isinstance(tasks, tuple):
        auth = server.token is not None or auth
        with Client(server.target, token=server.token, auth=auth) as client:
            if server.is_started_here:
                start_tasks(server, client, tasks, timeout)
            else:
                # One with tasks keeps them; otherwise this waits for those of another starter.
                status = client.status(timeout)
                if status["state"] == "UNINITIALIZED" or status["task"] == "init_task":
                    _initialize(client, tasks, timeout)
    return server


def start_tasks(
    server: Server,
    client: Client,
    tasks: Functions,
    timeout: float | None,
) -> dict[str, str]:
    """Send a server that this process has just started its tasks; end it if they do not start."""
    try:
        return _initialize(client, tasks, timeout)
    except CallTimeout:
        late = f"did not finish within {timeout:g}s"
        server._abandon(f"init_task {late}: ended by its starter")
        text = f"init_task of {server.target} {late}; the server was ended"
        raise CallTimeout(text) from None
    except Exception:
        server.stop()
        raise
    except BaseException:
        # Ctrl-C, for which init_task may be the reason.
        server._abandon("its start was interrupted")
        raise


def _initialize(client: Client, tasks: Functions, timeout: float | None) -> dict[str, str]:
    init_task, exec_task, *exit_task = tasks
    return client.initialize(init_task, exec_task, exit_task[0] if exit_task else None, timeout)


def connect(
    target: str | PathLike[str],
    *,
    token: str | None = None,
    auth: bool = True,
    allow_pickle: bool = True,
    max_message_bytes: int | None = None,
    timeout: float | None = None,
) -> Client:
    """Connect to a server.

    Parameters
    ----------
    target : str or path
        The server's name, ``host:port``, ``[address]:port`` for IPv6, or the path of its socket.
    token, auth, allow_pickle, max_message_bytes
        See `Client`.
    timeout : float, optional
        Maximum time to wait, in seconds.

    Returns
    -------
    Client
        A connected client.

    Raises
    ------
    ConfigError
        If the target is invalid.
    NotRunning, ConnectError, AuthError, ProtocolMismatch, CallTimeout
        If the connection cannot be established.
    """
    if not isinstance(target, (str, PathLike)):
        kind = type(target).__name__
        raise TypeError(f"target must be a name, host:port or socket path, not {kind}")
    client = Client(
        fspath(target),
        token=token,
        auth=auth,
        allow_pickle=allow_pickle,
        max_message_bytes=max_message_bytes,
    )
    client.ping(timeout)
    return client


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


def _is_file(tasks: str | PathLike[str]) -> bool:
    """Return whether tasks are a path, and not the name of a module."""
    if not isinstance(tasks, str) or tasks.endswith(".py"):
        return True
    return not all(part.isidentifier() for part in tasks.split("."))
