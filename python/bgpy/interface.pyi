from typing import Any, overload

from ._bgpy import respond as respond
from ._types import InitTask, Task

__all__ = ["execute", "initialize", "respond", "terminate"]

@overload
def initialize(
    init_task: InitTask,
    exec_task: Task,
    exit_task: Task | None = None,
    host: str = "127.0.0.1",
    port: int = 54321,
    timeout: float | None = None,
) -> dict[str, str]: ...
@overload
def initialize(
    init_task: str,
    exec_task: int,
    exit_task: InitTask,
    host: Task,
    port: Task | None = None,
    timeout: float | None = None,
) -> dict[str, str]: ...
def execute(
    exec_args: Any,
    await_response: bool = False,
    host: str = "127.0.0.1",
    port: int = 54321,
    timeout: float | None = None,
) -> Any: ...
def terminate(
    exit_args: Any = None,
    await_response: bool = False,
    host: str = "127.0.0.1",
    port: int = 54321,
    timeout: float | None = None,
) -> Any: ...
