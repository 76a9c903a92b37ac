import concurrent.futures
from asyncio import Future
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from inspect import Signature
from os import PathLike
from pathlib import Path
from types import GenericAlias, ModuleType, TracebackType
from typing import Any, Final, Generic, Literal, Self, TypeVar, final, overload

from ._jobs import Job
from ._types import Factory, InitTask, LogLevel, RestartPolicy, Status, Task

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

__all__ = [
    "AsyncCall",
    "AsyncLink",
    "Buffer",
    "Call",
    "Client",
    "ClientSocket",
    "LogReader",
    "LoopBell",
    "Progress",
    "RemoteCallback",
    "RemoteMethod",
    "Server",
    "ServerInfo",
    "Stream",
    "WaitingServers",
    "__version__",
    "callback",
    "check_cancelled",
    "import_module",
    "main",
    "progress",
    "respond",
    "run_background_server",
    "shield",
    "show",
    "survey",
    "table",
    "token_create",
    "use_deadlines",
    "use_loops",
    "use_waiting_servers",
]

__version__: Final[str]

@final
class Buffer:
    """A received buffer; objects created from it own the memory and may write to it."""
    def __reduce__(self) -> tuple[type[bytearray], tuple[bytearray]]: ...

@final
class AsyncCall:
    """The call of an ``async def`` method."""
    def succeed(self, value: object) -> None:
        """Send what the method has returned, and end the call."""
    def send(self, value: object) -> None:
        """Send a value of a stream."""
    def end(self, value: object) -> None:
        """End a stream, with what the method has returned if that is not None."""
    def fail(self, raised: BaseException) -> None:
        """End the call with what the method has raised."""
    def has_room(self) -> bool | None:
        """Whether the reader of the stream has room for another value; None if nobody reads it any more."""
    def take_cancel(self) -> bool:
        """Whether the call is to be cancelled; once for each request."""
    def time_left(self) -> float | None:
        """Seconds until the deadline of the caller, if it has one."""

@final
class WaitingServers:
    """The servers whose tasks wait for a callback."""
    def set_served(self) -> None:
        """Note that the callback has ended."""
    def call(
        self,
        function: Callable[..., object],
        arguments: tuple[object, ...],
        keywords: dict[str, object],
    ) -> object:
        """Call a function for which they wait."""

@final
class LoopBell:
    """Ends the turn of an event loop."""
    def fileno(self) -> int:
        """Number of the descriptor that is readable once it has rung."""
    def heard(self) -> None:
        """Note that it was heard."""

@final
class AsyncLink:
    """A connection that an event loop drives. `handler` is what `bgpy.aio` has around it."""
    @staticmethod
    def open(client: Client, timeout: float | None = None) -> AsyncLink:
        """Open a connection to a server that has its tasks. It blocks: call it on a thread of its own."""
    def fileno(self) -> int:
        """Number of the socket's descriptor."""
    def call(
        self,
        future: Future[Any],
        kind: str,
        want: str,
        args: object,
        on_progress: object = None,
        method: str | None = None,
    ) -> int:
        """Queue a call of `kind`, EXEC or EXIT, and have its outcome set in `future`. `want` is ``"first"``, ``"raw"``
        or ``"accepted"``. An EXEC calls `exec_task`, or a `method`.
        """
    def initialize(self, future: Future[Any], tasks: object) -> int:
        """Queue the tasks."""
    def stream(
        self,
        args: object,
        window: int,
        on_progress: object = None,
        method: str | None = None,
    ) -> int:
        """Queue a call whose responses are a stream; take them with `step`."""
    def await_job(
        self, future: Future[Any], job: str, is_of_method: bool, on_progress: object = None
    ) -> int:
        """Queue a wait for a job, and have its result set in `future`."""
    def step(self, handler: object, call: int, future: Future[Any]) -> tuple[Any, ...] | None:
        """Take the next response of a stream: ``(response,)``, ``()`` at its end, ``(None, result)`` if it has a result, or None if it has not arrived; then
        `future` is set when it is worth asking again.
        """
    def ask(self, future: Future[Any], question: str) -> int:
        """Queue a question: ``"ping"`` or ``"status"``."""
    def return_from_callback(self, call: int, number: int, returned: object) -> None:
        """Queue the result of a callback."""
    def raise_from_callback(self, call: int, number: int, raised: BaseException) -> None:
        """Queue what a callback has raised."""
    def cancel(self, call: int) -> None:
        """Cancel a call that nobody waits for any more."""
    def flush(self) -> bool:
        """Write what the socket takes. Returns whether that was all."""
    def read(self, handler: object) -> None:
        """Read what is there, and hand it to those who wait."""
    def fail(self, handler: object) -> None:
        """End all calls, because the connection is lost."""
    def watch(self, is_first: bool) -> float:
        """Look whether a silent server is still there. Returns after how many seconds to look again."""
    def is_idle(self) -> bool:
        """Whether no call is under way."""
    def is_usable(self) -> bool:
        """Whether calls can be made."""
    def has_successor(self) -> bool:
        """Wait for the server that takes the place of one that ends; False if none does. It blocks: call it on a thread
        of its own.
        """
    def close(self) -> None:
        """Close the connection."""

@final
class Call(Generic[_T_co]):
    """A call under way, as `Client.begin` returns it.

    It may be used by several threads, and in ``async`` code: ``await call`` returns its result. If it is dropped, the
    call runs all the same.
    """
    def result(self, timeout: float | None = None) -> _T_co:
        """Wait for the end of the call, and return the first response of its task.

        Parameters
        ----------
        timeout : float, optional
            Maximum time to wait, in seconds. The call goes on when it has passed.

        Returns
        -------
        object
            The response.

        Raises
        ------
        CallTimeout
            If the call has not ended within `timeout` seconds.
        CallCancelled
            If the call was cancelled.
        BgpyError
            As for `Client.call`.
        """
    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end of the call, and return what `result` raises, or None.

        Parameters
        ----------
        timeout : float, optional
            Maximum time to wait, in seconds.

        Returns
        -------
        BaseException or None
            The exception.

        Raises
        ------
        CallTimeout
            If the call has not ended within `timeout` seconds.
        """
    def done(self) -> bool:
        """Whether the call has ended and its result has arrived. It does not wait."""
    def cancel(self, timeout: float | None = 5.0) -> Literal["cancelled", "finished", "running"]:
        """Cancel the call: if it waits, it does not run; if it runs, `Cancelled` is raised in its task.

        Parameters
        ----------
        timeout : float, default 5
            Maximum time to wait for the end of the call, in seconds.

        Returns
        -------
        str
            ``"cancelled"``; ``"finished"`` if the call has ended otherwise, so that `result` has what it came to; or
            ``"running"`` if the task has not ended within `timeout` seconds.

        Raises
        ------
        ConnectionLost
            If the server cannot be told.
        """
    def future(self) -> concurrent.futures.Future[_T_co]:
        """Return a `concurrent.futures.Future` of the call, for functions that want one.

        A thread waits for it, one for all such calls of a connection. Cancelling the future asks the server to cancel
        the call.

        Returns
        -------
        concurrent.futures.Future
            The future.
        """
    def __await__(self) -> Generator[Any, None, _T_co]: ...
    @classmethod
    def __class_getitem__(cls, item: Any) -> GenericAlias:
        """For annotations: ``Call[int]``."""
    def _connection(self) -> int:
        """The connection that it is on, by a number."""
    def _arrivals(self) -> int:
        """How often something has arrived on the connection."""
    def _await_arrival(self, seen: int, timeout: float | None) -> None:
        """Wait until more has arrived on the connection than `seen`, or for `timeout` seconds at most."""
    @property
    def progress(self) -> Progress | None:
        """How far the call has come, as last heard while somebody waited for it, or None."""

@final
class Stream:
    """The responses of a call, as `Client.stream` returns them: an iterator that ends with the task.

    The server is never further ahead than its window; a task that responds faster than its responses are read waits.
    Leaving the loop early cancels the call, as soon as the stream is closed or dropped: use it in a ``with`` block
    to be sure when.
    """
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def close(self) -> None:
        """Cancel the call unless it has ended. Nothing more is read."""
    @property
    def result(self) -> Any:
        """What the generator has returned, once the stream has ended; None before."""
    @property
    def progress(self) -> Progress | None:
        """How far the call has come, as last heard, or None."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

@final
class RemoteMethod:
    """A method of a server's object. It is called like any other method."""
    def __new__(cls, client: Client, about: dict[str, Any], owner: str) -> Self: ...
    def __call__(self, *arguments: Any, **keywords: Any) -> Any: ...
    def _begin(self, *arguments: Any, **keywords: Any) -> Call[Any]:
        """Call it and return at once, with the call under way."""
    def _prepared(
        self, *arguments: Any, **keywords: Any
    ) -> tuple[Any, float | None, Callable[[Progress], object] | None, int | None]:
        """What a call by somebody else needs: the message, the timeout, what to call with progress, and the window of
        a stream.
        """
    def _submit(self, *arguments: Any, **keywords: Any) -> tuple[Client, str, str]:
        """Submit a job that calls it, and return the client, the job's name and that of the method."""
    def _with(
        self,
        timeout: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        window: int | None = None,
        key: str | None = None,
        keep: float | None = None,
    ) -> Self:
        """The same method, called with other options."""
    @property
    def _doc(self) -> str | None:
        """The docstring of the method, which `bgpy._services.proxy` makes that of the object."""
    @property
    def __name__(self) -> str: ...
    @property
    def __qualname__(self) -> str: ...
    @property
    def __signature__(self) -> Signature: ...

@final
class Progress:
    """How far a call has come, as its task has reported with `bgpy.progress`."""
    @property
    def done(self) -> float | None:
        """What is done, in a unit of the task's own, or None."""
    @property
    def total(self) -> float | None:
        """What there is to do in all, in the same unit, or None."""
    @property
    def text(self) -> str | None:
        """What the task is doing, or None."""
    @property
    def fraction(self) -> float | None:
        """The part that is done, from 0 to 1, or None if that is unknown."""

@final
class callback:  # noqa: N801
    """Wrap a function, so that a task can call it while this call is under way.

    Pass it in the arguments of a call. The task gets an object that it can call with any arguments that can be sent;
    the function runs here, on the thread that waits for the call, and its result goes back to the task. If it raises,
    the task gets a `RemoteError`. When the call is over, the object raises `CallbackGone`.

    Parameters
    ----------
    function : callable
        The function.

    Examples
    --------
    >>> client.call({"epochs": 3, "on_epoch": bgpy.callback(print)})
    """
    def __new__(cls, function: Callable[..., object]) -> Self: ...
    def __call__(self, *arguments: Any, **keywords: Any) -> Any: ...

@final
class RemoteCallback:
    """A function of the caller's, which runs there while this task waits for it. See `bgpy.callback`."""
    def __new__(cls, number: int) -> Self: ...
    def __call__(self, *arguments: Any, **keywords: Any) -> Any: ...

@final
class shield:  # noqa: N801
    """A context manager that puts off the cancellation of the call until its end.

    For steps of a task that must not be left half done. Shields nest; at the end of the outermost one, `Cancelled` is
    raised if the call was cancelled meanwhile. Outside of a task it does nothing.

    Examples
    --------
    >>> with bgpy.shield():
    ...     account.withdraw(amount)
    ...     other.deposit(amount)
    """
    def __new__(cls) -> Self: ...
    def __enter__(self) -> None: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None: ...

def progress(
    done: float | None = None, total: float | None = None, text: str | None = None
) -> None:
    """Tell the caller how far the task has come. It also raises `Cancelled` if the call was cancelled.

    The caller sees it with ``on_progress``, and everybody in ``bgpy status``, ``ps`` and ``top``. It takes less than a
    microsecond and never waits: only the latest progress counts, and it is passed on several times a second. Outside
    of a task it does nothing.

    Parameters
    ----------
    done : float, optional
        What is done, in any unit.
    total : float, optional
        What there is to do in all, in the same unit.
    text : str, optional
        What the task is doing; at most 512 bytes are kept.

    Raises
    ------
    Cancelled
        If the call was cancelled.
    """

def check_cancelled() -> None:
    """Raise `Cancelled` if the call that this thread works for was cancelled.

    A task need not call it on the main thread, where `Cancelled` is raised by itself. The threads that a task has
    started learn of it only here and in `progress`. Outside of a task it does nothing.

    Raises
    ------
    Cancelled
        If the call was cancelled.
    """

def use_loops(running_call: Callable[[], AsyncCall | None]) -> None:
    """Have `progress` and the like ask for the call that an event loop runs."""

def use_waiting_servers(get: Callable[[], WaitingServers | None]) -> None:
    """Have all calls ask which servers wait for what the task of a loop does."""

def use_deadlines(time_left: Callable[[], float | None]) -> None:
    """Have all calls ask for the time that is left until the deadline."""

@final
class ClientSocket:
    """The first argument of a task, through which it responds to its caller; see `respond`.

    It stays valid after the task has ended, and may be used from any thread of the server.
    """
    def respond(self, response: Any, error: bool = False) -> None:
        """Send a response to the caller; the same as ``bgpy.respond(client_socket, response, error)``.

        Parameters
        ----------
        response : object
            Any picklable object, usually a dict.
        error : bool, default False
            Whether the response reports an error, which ``Client.call`` then raises.

        Raises
        ------
        SerializationError
            If the response cannot be pickled, or the client does not accept it.
        BgpyError
            If a process that a task forked calls it: only the server itself can respond.
        """

@final
class Client:
    """A client of one server.

    It connects on its first call and keeps the connection. If the connection is lost, the next call
    connects again. A client may be shared between threads and used after ``os.fork()``. On the server's
    own machine it uses the server's Unix socket, whatever host was passed.

    Parameters
    ----------
    host : str
        Host name or IP address of the server. If `port` is omitted, any target: the name of a server,
        ``host:port``, ``[address]:port`` for IPv6, or the path of a server's socket.
    port : int, optional
        Port that the server listens on.
    token : str, optional
        The server's token. By default it comes from the registry (same machine, same user), or else
        from the environment variable ``BGPY_TOKEN``.
    log_level : str, default "INFO"
        DEBUG, INFO, WARNING, ERROR or CRITICAL.
    log_file : path, optional
        File that the client appends its log to. By default, it does not log.
    auth : bool, default True
        Whether the server must prove that it knows the token. With False, the client also talks to a
        server on this machine that was started with ``auth=False``, whoever runs it; a server in the
        registry must still prove its token, and once one server has proven it, this client requires the
        proof from then on.
    allow_pickle : bool, default True
        Whether the client unpickles what the server sends. With False, it accepts only plain data: None,
        bool, numbers, str, bytes, bytearray, lists, tuples, dicts and sets of those, dates and times,
        decimals, UUIDs, paths, and members of enumerations whose module is imported here. A task that
        responds with anything else fails.
    max_message_bytes : int, optional
        Maximum size of a response, in bytes; a task that responds with more fails. 1 TiB by default.

    Raises
    ------
    ConfigError
        If an argument is invalid.
    """
    def __new__(
        cls,
        host: str,
        port: int | None = None,
        token: str | None = None,
        log_level: LogLevel = "INFO",
        log_file: str | PathLike[str] | None = None,
        *,
        auth: bool = True,
        allow_pickle: bool = True,
        max_message_bytes: int | None = None,
    ) -> Self: ...
    @property
    def host(self) -> str:
        """Host or other target as passed."""
    @property
    def port(self) -> int | None:
        """Port as passed, or None."""
    @property
    def token(self) -> str | None:
        """Token as passed, or None."""
    @property
    def log_level(self) -> str:
        """Log level as passed."""
    @property
    def log_file(self) -> Path | None:
        """Log file as passed, or None."""
    def initialize(
        self,
        init_task: InitTask,
        exec_task: Task,
        exit_task: Task | None = None,
        timeout: float | None = None,
    ) -> dict[str, str]:
        """Send the tasks to the server and wait until ``init_task`` has run.

        Parameters
        ----------
        init_task : callable
            ``init_task()`` or ``init_task(client_socket)``; returns the state, a dict.
        exec_task : callable
            ``exec_task(client_socket, state, args)``; returns the next state, or None to keep it.
        exit_task : callable, optional
            ``exit_task(client_socket, state, args)``; runs once, when the server stops.
        timeout : float, optional
            Maximum time to wait, in seconds.

        Returns
        -------
        dict
            ``{"message": "Initialization successful."}``, or ``{"message": "Already initialized."}``
            if the server already has tasks, which it keeps.

        Raises
        ------
        ConfigError
            If a task is not callable, takes other parameters, or is an ``async def`` or generator function.
        RemoteError
            If ``init_task`` raised; the server still has no tasks.
        SerializationError
            If a task cannot be pickled here or unpickled on the server.
        BgpyError
            As for `call`.
        """
    def execute(
        self, exec_args: Any, await_response: bool = False, timeout: float | None = None
    ) -> Any:
        """Call `exec_task`, and by default return once the server has accepted the call.

        Parameters
        ----------
        exec_args : object
            Argument of `exec_task`: any picklable object, usually a dict.
        await_response : bool, default False
            Whether to wait for the first response of the task. With False, wait only until the server
            has accepted the call.
        timeout : float, optional
            Maximum time to wait, in seconds.

        Returns
        -------
        object
            The response, even one sent with ``error=True``; ``{"message": "Received 'EXEC'"}`` without
            `await_response`.

        Raises
        ------
        BgpyError
            As for `call`.
        """
    def call(
        self,
        args: Any,
        timeout: float | None = None,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        echo: bool = False,
    ) -> Any:
        """Call `exec_task` and return its first response.

        Parameters
        ----------
        args : object
            Argument of `exec_task`: any picklable object, usually a dict.
        timeout : float, optional
            Maximum time to wait, in seconds. By default there is no limit, but the wait ends if the
            server dies or the network fails, even while a task runs.
        on_progress : callable, optional
            Called with a `Progress` each time that the task tells how far it has come.
        echo : bool, default False
            Whether to print what the server's tasks print during the call, a moment later: this one, but
            also those of other callers that run meanwhile.

        Returns
        -------
        object
            The response.

        Raises
        ------
        RemoteError
            If the task raised, or responded with ``error=True``.
        NoResponse
            If the task ended without a response.
        NotInitialized
            If the server has no tasks yet.
        NotRunning, ConnectError, AuthError, ProtocolMismatch
            If the connection cannot be established.
        ConnectionLost
            If the server died in the meantime; the call may or may not have run.
        CallTimeout
            If there is no response within `timeout` seconds; a task that has started keeps running.
        ServerStopping
            If the server is stopping and accepts no more calls.
        Overloaded
            If too many calls are already waiting.
        SerializationError
            If the argument or the response cannot be pickled or unpickled.
        WouldDeadlock
            If a task of the same server makes the call, and so would wait for itself.
        CallCancelled
            If somebody else has cancelled the call.
        BgpyError
            If `echo` is set and the server logs to no file.
        """
    def begin(
        self, args: Any, *, on_progress: Callable[[Progress], object] | None = None
    ) -> Call[Any]:
        """Call `exec_task` and return at once, with the call under way.

        Thousands of calls may be under way on one connection. They run one after the other, in the order in which
        they were begun.

        Parameters
        ----------
        args : object
            Argument of `exec_task`: any picklable object, usually a dict.
        on_progress : callable, optional
            Called with a `Progress` while somebody waits for the call, on that thread.

        Returns
        -------
        Call
            The call.

        Raises
        ------
        BgpyError
            If the call cannot be sent; see `call`.

        Examples
        --------
        >>> calls = [client.begin({"page": page}) for page in range(100)]
        >>> pages = [call.result() for call in calls]
        """
    def submit(
        self,
        args: Any,
        *,
        key: str | None = None,
        keep: float | None = None,
        timeout: float | None = None,
    ) -> Job[Any]:
        """Submit a job: a call of `exec_task` that lives on without its caller.

        The server runs it in its turn, like any call, and keeps the first response, so that whoever knows the name of
        the job can wait for it, from any process and as often as needed.

        Parameters
        ----------
        args : object
            Argument of `exec_task`: any picklable object, usually a dict.
        key : str, optional
            The name of the job. Submitted again with the same argument, it is the same job, which runs once.
        keep : float, optional
            How long the server keeps the result, in seconds; a day by default.
        timeout : float, optional
            Maximum time to wait for the server to accept the job, in seconds.

        Returns
        -------
        Job
            The job.

        Raises
        ------
        JobTaken
            If a job of the same key has another argument.
        BgpyError
            If the job cannot be submitted; see `call`.
        """
    def stream(
        self,
        args: Any,
        timeout: float | None = None,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        window: int = 1048576,
    ) -> Stream:
        """Call `exec_task` and return an iterator over all of its responses.

        Parameters
        ----------
        args : object
            Argument of `exec_task`: any picklable object, usually a dict.
        timeout : float, optional
            Maximum time to wait for each response, in seconds.
        on_progress : callable, optional
            Called with a `Progress` while this side waits for a response.
        window : int, default 1048576
            How many bytes of responses the server may send ahead, beside the one that is being read.

        Returns
        -------
        Stream
            The responses; those that the task sent with ``error=True`` are raised.

        Raises
        ------
        BgpyError
            If the call cannot be sent; see `call`. The iterator raises the rest.

        Examples
        --------
        >>> for word in client.stream({"text": "a b c"}):
        ...     print(word)
        """
    def terminate(
        self, exit_args: Any = None, await_response: bool = False, timeout: float | None = None
    ) -> Any:
        """Run `exit_task` and stop the server, after the calls that it has already accepted.

        When this method returns, the server no longer listens on its address, so that another one can
        start there.

        Parameters
        ----------
        exit_args : object, optional
            Argument of `exit_task`, an empty dict by default.
        await_response : bool, default False
            Whether to wait for the first response of `exit_task`. With False, wait only until the server
            has accepted the call.
        timeout : float, optional
            Maximum time to wait, in seconds.

        Returns
        -------
        object
            The response; ``{"message": "Received 'EXIT'"}`` without `await_response`.

        Raises
        ------
        BgpyError
            As for `call`.
        """
    def status(self, timeout: float | None = None) -> Status:
        """Return the status of the server, even while a task runs.

        Parameters
        ----------
        timeout : float, optional
            Maximum time to wait, in seconds.

        Returns
        -------
        dict
            ``state`` (STARTING, UNINITIALIZED, READY, BUSY or STOPPING), ``task`` (name of the running
            task, or None), ``busy_s`` (seconds that it has been running, or None), ``queue`` (number of
            waiting calls), ``calls`` (number of calls that have run), ``clients`` (number of connected
            clients, this one included), ``uptime_s`` (seconds since the start), ``cpu_s`` (CPU time that the
            process has used in seconds, or None), ``pid``, ``rss_bytes`` (resident memory of the process, or
            None) and ``name`` (or None).

        Raises
        ------
        BgpyError
            As for `call`.
        """
    def ping(self, timeout: float | None = None) -> None:
        """Check that the server responds, even while a task runs.

        Parameters
        ----------
        timeout : float, optional
            Maximum time to wait, in seconds.

        Raises
        ------
        BgpyError
            As for `call`.
        """
    @overload
    def logs(
        self, lines: int = 100, follow: Literal[False] = False, timeout: float | None = None
    ) -> str:
        """Return the end of the server's log, with everything that its tasks print, even while a task runs.

        Parameters
        ----------
        lines : int, default 100
            Number of lines.
        follow : bool, default False
            Whether to return an iterator, which goes on with new lines until the server ends.
        timeout : float, optional
            Maximum time to wait for each answer of the server, in seconds.

        Returns
        -------
        str or iterator of str
            The text, which a notebook displays as it is; with `follow` the lines.

        Raises
        ------
        BgpyError
            If the server logs to no file, or as for `call`.
        """
    @overload
    def logs(
        self, lines: int = 100, *, follow: Literal[True], timeout: float | None = None
    ) -> Iterator[str]:
        """Return the end of the server's log, with everything that its tasks print, even while a task runs.

        Parameters
        ----------
        lines : int, default 100
            Number of lines.
        follow : bool, default False
            Whether to return an iterator, which goes on with new lines until the server ends.
        timeout : float, optional
            Maximum time to wait for each answer of the server, in seconds.

        Returns
        -------
        str or iterator of str
            The text, which a notebook displays as it is; with `follow` the lines.

        Raises
        ------
        BgpyError
            If the server logs to no file, or as for `call`.
        """
    @overload
    def service(self, cls: type[_T], timeout: float | None = None) -> _T:
        """Return a proxy of the object that the server has: a local object whose methods run there.

        Parameters
        ----------
        cls : type, optional
            The class of the object, for type checkers. A `RuntimeWarning` says what the object has otherwise.
        timeout : float, optional
            Maximum time to wait, in seconds.

        Returns
        -------
        object
            The proxy. It makes its calls by this client, and several proxies may.

        Raises
        ------
        NoMethods
            If the server runs tasks.
        BgpyError
            As for `call`.
        """
    @overload
    def service(self, cls: None = None, timeout: float | None = None) -> Any:
        """Return a proxy of the object that the server has: a local object whose methods run there.

        Parameters
        ----------
        cls : type, optional
            The class of the object, for type checkers. A `RuntimeWarning` says what the object has otherwise.
        timeout : float, optional
            Maximum time to wait, in seconds.

        Returns
        -------
        object
            The proxy. It makes its calls by this client, and several proxies may.

        Raises
        ------
        NoMethods
            If the server runs tasks.
        BgpyError
            As for `call`.
        """
    def _start_service(self, factory: Factory, timeout: float | None = None) -> dict[str, str]:
        """Send the server what makes its object, a class for example, and wait until it is made."""
    def _submit(
        self,
        method: str | None,
        args: object,
        key: str | None = None,
        keep: float | None = None,
        timeout: float | None = None,
    ) -> str:
        """Submit a job, and return its name. If the connection is lost meanwhile, it is submitted again under that name."""
    def _await_job(
        self,
        job: str,
        is_of_method: bool,
        timeout: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Any:
        """Wait for the result of a job."""
    def _jobs(self, job: str | None = None, timeout: float | None = None) -> list[dict[str, Any]]:
        """What the server tells of a job, or of all."""
    def _cancel_job(self, job: str, timeout: float | None = None) -> bool | None:
        """Ask the server to cancel a job; False if it cannot be cancelled while it runs, None if it is over."""
    def _methods_hint(self) -> str:
        """What to do about a method that is missing or does not fit, if the server may have others by now."""
    def _methods(self, timeout: float | None = None) -> dict[str, Any]:
        """What the server tells of the methods of its object."""
    @property
    def _target(self) -> str:
        """The server as this client names it."""
    def close(self) -> None:
        """Close the connection. The server keeps running; the next call connects again."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        *_exception: type[BaseException] | BaseException | TracebackType | None,
    ) -> None: ...

@final
class Server:
    """A server, described by its address and options; start it with `run_background` or `run`.

    As a context manager, it starts in the background unless it is running, and stops at the end of the
    block.

    Parameters
    ----------
    host : str, default "127.0.0.1"
        Name or IP address to listen on.
    port : int, default 0
        Port to listen on; 0 picks a free port, which `port` returns once the server is running.
    token : str, optional
        Secret that clients must know. By default the value of the environment variable ``BGPY_TOKEN``,
        or else a generated token, which clients of the same user on this machine find in the registry.
    log_level : str, default "INFO"
        DEBUG, INFO, WARNING, ERROR or CRITICAL.
    log_file : path, optional
        File to append the log to. By default, a background server logs to a file in the user's runtime
        directory, and a foreground server logs to standard error.
    init_file : path, optional
        Python file that defines ``init_task``, ``exec_task`` and, if needed, ``exit_task``. The server
        loads it before it is ready.
    name : str, optional
        Name by which clients of the same user find the server on this machine: a letter, and up to 63
        more letters, digits, ``.``, ``_`` or ``-``. Only one running server can have a name.
    init_module : str, optional
        Module that defines the tasks, which the server imports instead of loading `init_file`.
    init_object : str, optional
        Class or function in that file or module that makes the server's object, whose methods clients call
        (see `bgpy.connect`). Without it, the file or module defines tasks.
    idle_timeout : float, optional
        Seconds without a call after which the server runs ``exit_task`` and stops.
    threads : int, optional
        How many methods with ``read=True`` run beside each other, from 1 to 1024; the number of CPUs and
        4 more by default, at most 32.
    restart : str, default "never"
        "on-failure" restarts a background server that crashes, with growing pauses. It gives up after
        more than 5 failures ("on-failure:N": N), if at least five minutes have passed without the server
        having been up for a minute. The server keeps its address and name, and gets its tasks from its file or module, or those that the
        first client sent. Clients that call in the meantime wait.
    auth : bool, default True
        Whether clients must know the token. With False, only loopback addresses are allowed, and clients
        that do not find the server in their registry must pass ``auth=False`` too.
    allow_weak_token : bool, default False
        Whether a guessable token is allowed on an address that other machines can reach.
    allow_pickle : bool, default True
        Whether the server unpickles what clients send. With False, it accepts only plain data (see
        `Client`), clients refuse to send anything else, and the tasks must come from `init_file` or
        `init_module`.
    max_message_bytes : int, optional
        Maximum size of a message from a client, in bytes; clients refuse to send a larger one. 1 TiB by
        default.

    Raises
    ------
    ConfigError
        If an argument is invalid.
    """
    def __new__(
        cls,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        log_level: LogLevel = "INFO",
        log_file: str | PathLike[str] | None = None,
        init_file: str | PathLike[str] | None = None,
        *,
        name: str | None = None,
        init_module: str | None = None,
        init_object: str | None = None,
        idle_timeout: float | None = None,
        threads: int | None = None,
        restart: RestartPolicy = "never",
        auth: bool = True,
        allow_weak_token: bool = False,
        allow_pickle: bool = True,
        max_message_bytes: int | None = None,
    ) -> Self: ...
    @property
    def host(self) -> str:
        """Host to listen on."""
    @property
    def port(self) -> int:
        """Port to listen on; after a start in the background, the port that the server listens on."""
    @property
    def token(self) -> str | None:
        """Token as passed, or None."""
    @property
    def log_level(self) -> str:
        """Log level as passed."""
    @property
    def log_file(self) -> Path | None:
        """Log file as passed; after a start in the background, the file that the server logs to."""
    @property
    def init_file(self) -> Path | None:
        """File with the tasks as passed, or None."""
    @property
    def init_module(self) -> str | None:
        """Module with the tasks as passed, or None."""
    @property
    def init_object(self) -> str | None:
        """Class or function that makes the server's object as passed, or None."""
    @property
    def name(self) -> str | None:
        """Name as passed, or None."""
    @property
    def target(self) -> str:
        """The server's name, or its address if it has none, as `connect` and `Client` take it."""
    @property
    def pid(self) -> int | None:
        """Process id of the server, or None before a start in the background."""
    @property
    def is_started_here(self) -> bool:
        """Whether this process started the server, in the background."""
    def run_background(
        self,
        timeout: float | None = None,
        *,
        exist_ok: bool = False,
        replace: bool = False,
        env: dict[str, str] | None = None,
        cwd: str | PathLike[str] | None = None,
        python: str | PathLike[str] | None = None,
    ) -> None:
        """Start the server in the background and return when it is ready.

        It keeps running after this process ends. It inherits this process's working directory and
        environment unless `cwd` and `env` say otherwise.

        Parameters
        ----------
        timeout : float, optional
            Maximum time to wait, in seconds. A server that is not ready by then is killed.
        exist_ok : bool, default False
            Whether to succeed if a server of this name is already running; needs `name`. If several
            processes start the same name at the same time, exactly one starts it and the others use it.
        replace : bool, default False
            Whether to end the server of this name, if there is one, after the calls that it has accepted,
            and to start this one in its place, at the same address and with the same token unless others
            are given; needs `name`. Clients that call in the meantime wait. The old server keeps running if the
            new one is known not to start. If the old one takes longer than a second to end, standard error says
            what is waited for.
        env : dict of str to str, optional
            Environment variables to set for the server, in addition to those of this process.
        cwd : path, optional
            Working directory of the server.
        python : path, optional
            Interpreter to run the server with. bgpy must be installed for it.

        Raises
        ------
        AddressInUse
            If another program listens on the address.
        StartError
            If the server fails to start for another reason, which the message quotes.
        NameTaken
            If a server of this name is already running. It is a `StartError`.
        ConfigError
            If `cwd` is not a directory, the log file cannot be written, or the token is too weak for the
            address.
        CallTimeout
            If the server is not ready, or the one to be replaced has not ended, within `timeout` seconds.
        """
    def run(self) -> None:
        """Run the server in this process until a client terminates it or a signal stops it.

        When this method returns, the server has shut down; the calling process continues.

        On the main thread, it handles SIGTERM and SIGINT (Ctrl-C): the running task finishes, waiting
        calls get an error, and `exit_task` runs. A second signal interrupts the running task.

        Raises
        ------
        AddressInUse, StartError, ConfigError
            As for `run_background`.
        RemoteError
            If `exit_task` raised.
        BgpyError
            If the server cannot continue, for example because a task closed its sockets.
        """
    def _serve(self, factory: Factory) -> None:
        """Run the server in this process, with the object that `factory` makes."""
    def is_alive(self, timeout: float = 5.0) -> bool:
        """Return whether a server responds at this address.

        Parameters
        ----------
        timeout : float, default 5.0
            Maximum time to wait for the response, in seconds.

        Returns
        -------
        bool
            True also if the server responds but is full.
        """
    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until the server has ended.

        Parameters
        ----------
        timeout : float, optional
            Maximum time to wait, in seconds.

        Returns
        -------
        int or None
            The exit code, negative for a signal; None if this process did not start the server, or its
            exit status is unknown.

        Raises
        ------
        CallTimeout
            If the server has not ended within `timeout` seconds. If only its process is still alive, the
            message says what that waits for.
        """
    def stop(self, timeout: float | None = None) -> None:
        """Stop the server through its `exit_task`, and wait until its process has ended.

        It is not an error if the server is not running.

        Parameters
        ----------
        timeout : float, optional
            Maximum time to wait, in seconds.

        Raises
        ------
        CallTimeout
            If the server and its process have not ended within `timeout` seconds. If it is known what
            the process waits for, the message says so.
        """
    @overload
    def logs(self, lines: int = 100, follow: Literal[False] = False) -> str:
        """Return the end of the server's log, with everything that its tasks print, also after its end.

        Parameters
        ----------
        lines : int, default 100
            Number of lines.
        follow : bool, default False
            Whether to return an iterator, which goes on with new lines until the server ends.

        Returns
        -------
        str or iterator of str
            The text, which a notebook displays as it is; with `follow` the lines.

        Raises
        ------
        BgpyError
            If the server has no log file, or it cannot be read. `Client.logs` asks the server instead.
        """
    @overload
    def logs(self, lines: int = 100, *, follow: Literal[True]) -> Iterator[str]:
        """Return the end of the server's log, with everything that its tasks print, also after its end.

        Parameters
        ----------
        lines : int, default 100
            Number of lines.
        follow : bool, default False
            Whether to return an iterator, which goes on with new lines until the server ends.

        Returns
        -------
        str or iterator of str
            The text, which a notebook displays as it is; with `follow` the lines.

        Raises
        ------
        BgpyError
            If the server has no log file, or it cannot be read. `Client.logs` asks the server instead.
        """
    def _note_tasks(self, fingerprint: str) -> None:
        """Note which functions a client will send as tasks."""
    def _renew(self, instance: str) -> bool:
        """Start the server again at the same place, without tasks, if it is this one and runs; return whether
        it is.
        """
    def _abandon(self, reason: str) -> None:
        """Kill the server that this process started, because its tasks have not."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        *_exception: type[BaseException] | BaseException | TracebackType | None,
    ) -> None: ...

@final
class ServerInfo(Mapping[str, str | int | float | None]):
    """A server of this user on this machine, as it was when it was listed.

    It is also a mapping of plain values, with the fields of `status` among its own: ``dict(info)`` is a
    row of a table, and ``pandas.DataFrame(bgpy.servers())`` the table.
    """
    @property
    def name(self) -> str | None:
        """The server's name, or None."""
    @property
    def state(
        self,
    ) -> Literal[
        "STARTING",
        "UNINITIALIZED",
        "READY",
        "BUSY",
        "STOPPING",
        "RESTARTING",
        "STALE",
        "EXITED",
        "FAILED",
    ]:
        """STARTING, UNINITIALIZED, READY, BUSY, STOPPING, EXITED, FAILED, RESTARTING or STALE."""
    @property
    def reason(self) -> str | None:
        """Why it has failed, is being restarted or is stale, or None."""
    @property
    def pid(self) -> int:
        """Process id."""
    @property
    def instance(self) -> str:
        """Its identity, which stays the same over restarts."""
    @property
    def generation(self) -> int:
        """Number of restarts after failures; each one lost the state."""
    @property
    def failures(self) -> int:
        """Number of failures since it was last healthy (up for a minute)."""
    @property
    def last_failure(self) -> str | None:
        """How it last failed, or None."""
    @property
    def next_try(self) -> float | None:
        """Time of its next start, in seconds since 1970, while it is RESTARTING, or None."""
    @property
    def address(self) -> str:
        """Host and port, as ``connect`` takes them."""
    @property
    def socket(self) -> Path | None:
        """Path of its Unix socket, or None."""
    @property
    def log_file(self) -> Path | None:
        """Path of its log, or None."""
    @property
    def exit_code(self) -> int | None:
        """Exit code of its process, negative for a signal; None while it runs, or if it is unknown."""
    @property
    def status(self) -> Status | None:
        """Its status, as `Client.status` returns it, but without the connection that asked among its clients; None
        if it did not answer.
        """
    def __getitem__(self, key: str, /) -> str | int | float | None: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def get(self, key: str, default: Any = None, /) -> Any:
        """Return the value of a key, or a default."""

@final
class LogReader:
    """Reads the log of a server."""
    def read(self) -> tuple[bytes, bool] | None:
        """Return the next piece, and whether more is there already; None after the end of the server."""

def respond(client_socket: ClientSocket, response: Any, error: bool = False) -> None:
    """Send a response to the client that called the task.

    A client that waits gets the first response of its call. Further responses, and those that nobody
    waits for, are dropped.

    Parameters
    ----------
    client_socket : ClientSocket
        The first argument of the task.
    response : object
        Any picklable object, usually a dict.
    error : bool, default False
        Whether the response reports an error. ``Client.call`` then raises it, while ``Client.execute``
        returns it like any other response.

    Raises
    ------
    SerializationError
        If the response cannot be pickled, or the client does not accept it.
    BgpyError
        If a process that a task forked calls it: only the server itself can respond.
    """

def import_module(name: str) -> ModuleType:
    """Import a module on a thread of its own, where no signal handler runs. The module must not be the first to
    import `threading`, directly or through others, which takes the thread of its import for the main thread.

    # Errors
    What the import raises.
    """

def token_create(length: int = 64) -> str:
    """Create a token: URL-safe text made from random bytes of the operating system.

    Parameters
    ----------
    length : int, default 64
        Number of random bytes; the text is a third longer. A token made from fewer than 32 bytes counts
        as guessable, and is refused on addresses that other machines can reach.

    Returns
    -------
    str
        The token.

    Raises
    ------
    ConfigError
        If `length` is not between 1 and 1024.
    """

def main(arguments: Sequence[str]) -> int:
    """Run the command `bgpy`.

    Parameters
    ----------
    arguments : list of str
        Program name and arguments, as in ``sys.argv``.

    Returns
    -------
    int
        The exit code.
    """

def run_background_server() -> int:
    """Become the background server that the parent process describes on standard input.

    Returns
    -------
    int
        The exit code of the process: 0 if the server ended in good order, else 1.
    """

def show(allow_pickle: bool, as_json: bool) -> str:
    """Read a message that the command `bgpy` writes to standard input, and return it as text.

    Parameters
    ----------
    allow_pickle : bool
        Whether to unpickle a message that is a pickle.
    as_json : bool
        Whether to return JSON instead of the repr.

    Returns
    -------
    str
        The repr of the object, or the object as JSON.

    Raises
    ------
    SerializationError
        If the message cannot be decoded.
    ValueError
        If the object has no form in JSON.
    """

def survey(ended: bool, timeout: float | None) -> list[ServerInfo]:
    """List servers; see `bgpy.servers`."""

def table(servers: Sequence[ServerInfo], as_html: bool = False) -> str:
    """Return servers as a table of aligned columns, or of HTML."""
