from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypedDict, final

__all__ = [
    "Buffer",
    "Client",
    "ClientSocket",
    "Server",
    "ServerInfo",
    "__version__",
    "main",
    "respond",
    "run_background_server",
    "show",
    "survey",
    "table",
    "token_create",
]

__version__: Final[str]

class _Status(TypedDict):
    state: str
    task: str | None
    busy_s: float | None
    queue: int
    calls: int
    clients: int
    uptime_s: float
    pid: int
    rss_bytes: int | None
    name: str | None

@final
class Buffer:
    def __reduce__(self) -> tuple[type[bytearray], tuple[bytearray]]: ...

@final
class ClientSocket:
    def respond(self, response: Any, error: bool = False) -> None: ...

@final
class Client:
    def __new__(
        cls,
        host: str,
        port: int | None = None,
        token: str | None = None,
        log_level: str = "INFO",
        log_file: str | PathLike[str] | None = None,
        *,
        auth: bool = True,
        allow_pickle: bool = True,
        max_message_bytes: int | None = None,
    ) -> Self: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int | None: ...
    @property
    def token(self) -> str | None: ...
    @property
    def log_level(self) -> str: ...
    @property
    def log_file(self) -> Path | None: ...
    def initialize(
        self,
        init_task: Callable[..., Any],
        exec_task: Callable[..., Any],
        exit_task: Callable[..., Any],
        timeout: float | None = None,
    ) -> dict[str, str]: ...
    def execute(
        self, exec_args: Any, await_response: bool = False, timeout: float | None = None
    ) -> Any: ...
    def call(self, args: Any, timeout: float | None = None) -> Any: ...
    def terminate(
        self, exit_args: Any = None, await_response: bool = False, timeout: float | None = None
    ) -> Any: ...
    def status(self, timeout: float | None = None) -> _Status: ...
    def ping(self, timeout: float | None = None) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        *_exception: type[BaseException] | BaseException | TracebackType | None,
    ) -> None: ...

@final
class Server:
    def __new__(
        cls,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        log_level: str = "INFO",
        log_file: str | PathLike[str] | None = None,
        init_file: str | PathLike[str] | None = None,
        *,
        name: str | None = None,
        init_module: str | None = None,
        idle_timeout: float | None = None,
        restart: str = "never",
        auth: bool = True,
        allow_weak_token: bool = False,
        allow_pickle: bool = True,
        max_message_bytes: int | None = None,
    ) -> Self: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def token(self) -> str | None: ...
    @property
    def log_level(self) -> str: ...
    @property
    def log_file(self) -> Path | None: ...
    @property
    def init_file(self) -> Path | None: ...
    @property
    def init_module(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def target(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def is_started_here(self) -> bool: ...
    def run_background(
        self,
        timeout: float | None = None,
        *,
        exist_ok: bool = False,
        env: dict[str, str] | None = None,
        cwd: str | PathLike[str] | None = None,
        python: str | PathLike[str] | None = None,
    ) -> None: ...
    def run(self) -> None: ...
    def is_alive(self, timeout: float = 5.0) -> bool: ...
    def wait(self, timeout: float | None = None) -> int | None: ...
    def stop(self, timeout: float | None = None) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        *_exception: type[BaseException] | BaseException | TracebackType | None,
    ) -> None: ...

@final
class ServerInfo:
    @property
    def name(self) -> str | None: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def pid(self) -> int: ...
    @property
    def instance(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def failures(self) -> int: ...
    @property
    def last_failure(self) -> str | None: ...
    @property
    def next_try(self) -> float | None: ...
    @property
    def address(self) -> str: ...
    @property
    def socket(self) -> Path | None: ...
    @property
    def log_file(self) -> Path | None: ...
    @property
    def exit_code(self) -> int | None: ...
    @property
    def status(self) -> _Status | None: ...

def respond(client_socket: ClientSocket, response: Any, error: bool = False) -> None: ...
def token_create(length: int = 64) -> str: ...
def main(arguments: Sequence[str]) -> int: ...
def run_background_server() -> int: ...
def show(allow_pickle: bool) -> str: ...
def survey(ended: bool, timeout: float | None) -> list[ServerInfo]: ...
def table(servers: Sequence[ServerInfo], separator: str | None = None) -> str: ...
