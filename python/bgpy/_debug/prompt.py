"""A Python prompt in the server, on a thread of its own."""

from __future__ import annotations

import code
import functools
import sys
import threading
import types

from . import redirect
from .debugger import this_process
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .debugger import Debugger

_MISSING = object()


class _Exit:
    """Ends a prompt. Python's own would close standard input."""

    def __repr__(self) -> str:
        return "Use exit() or Ctrl-D to leave"

    def __call__(self, code: object = None) -> None:
        raise SystemExit(code)


class Prompt(Session):
    """A prompt.

    Parameters
    ----------
    debugger : Debugger
        The debugger of the server.
    """

    is_prompt = True

    def __init__(self, debugger: Debugger) -> None:
        super().__init__()
        self._debugger = debugger
        self.namespace = {"__name__": "__console__", "__doc__": None}
        self.namespace["exit"] = self.namespace["quit"] = _Exit()
        # Names of the tasks' module as they were put into the namespace.
        self._shown: dict[str, Any] = {}
        self.about = (
            f"{this_process()}: a prompt on a thread of its own, beside the tasks\n"
            f"{self._describe()}; exit() or Ctrl-D leaves"
        )

    def _describe(self) -> str:
        service = self._debugger.server.service()
        if service is not None:
            kind = type(service)
            names = f"the names of module {kind.__module__} are there"
            return f"`service` is the {kind.__name__}, and {names}"
        state, task = self._debugger.server.tasks()
        if task is None:
            return "the server has no tasks yet"
        name = _module(task)[0]
        state_is = "`state` is the state" if state is not None else "init_task has not ended"
        return f"{state_is}, and the names of module {name} are there"

    def begin(self, number: int) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name=f"bgpy-prompt-{number}", daemon=True).start()

    def _run(self) -> None:
        self.runs_here()
        with redirect.to(self):
            try:
                self._converse()
            finally:
                self.end()

    def _converse(self) -> None:
        console = code.InteractiveConsole(self.namespace, "<bgpy attach>")
        goes_on = False
        while True:
            try:
                line = self.readline("... " if goes_on else ">>> ")
                self._renew()
                goes_on = console.push(line[:-1])
            except KeyboardInterrupt:
                self.was_interrupted()
                self.write("KeyboardInterrupt\n")
                console.resetbuffer()
                goes_on = False
            except (EOFError, SystemExit):
                return

    def _renew(self) -> None:
        """Show the present state and names, but for those that the user has given a meaning."""
        service = self._debugger.server.service()
        state, task = self._debugger.server.tasks()
        names: dict[str, Any] = {}
        if service is not None:
            names = _names_of_class(type(service)) | {"service": service}
        elif task is not None:
            names = dict(_module(task)[1])
        if state is not None:
            names["state"] = state
        for name, value in names.items():
            if name.startswith("__"):
                continue
            now = self.namespace.get(name, _MISSING)
            if now is _MISSING or now is self._shown.get(name, _MISSING):
                self.namespace[name] = self._shown[name] = value


def _names_of_class(kind: type) -> dict[str, Any]:
    """Return the variables of the module of a class, which may have come from a client."""
    for value in vars(kind).values():
        if isinstance(value, types.FunctionType) and value.__module__ == kind.__module__:
            return dict(value.__globals__)
    module = sys.modules.get(kind.__module__)
    return {} if module is None else dict(vars(module))


def _module(task: Any) -> tuple[str, dict[str, Any]]:
    """Return the name and the variables of the module that defines a task."""
    while not isinstance(task, types.FunctionType):
        inner = getattr(task, "func", None) or getattr(task, "__func__", None)
        inner = inner or vars(type(task)).get("__call__")
        if not isinstance(inner, types.FunctionType | types.MethodType | functools.partial):
            return "", {}
        task = inner
    return task.__module__, task.__globals__
