"""Tasks that come to a breakpoint: Python's debugger, in a session that somebody attaches to."""

from __future__ import annotations

import bdb
import os
import pdb
import sys

from . import redirect
from .debugger import NO_CODE
from .session import Session
from .stacks import frames_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from .debugger import Debugger


def stop(
    debugger: Debugger,
    frame: FrameType,
    *arguments: Any,
    header: str | None = None,
    **keywords: Any,
) -> None:
    """Let the task in this thread wait at a breakpoint, from its next line on.

    Parameters
    ----------
    debugger : Debugger
        The debugger of the server.
    frame : FrameType
        The frame of the task.
    header : str, optional
        What to print first.
    """
    if not debugger.allow_pickle:
        debugger.server.log(f"breakpoint in {_place(frame)} is passed over: {NO_CODE}")
        return
    traced = getattr(sys.gettrace(), "__self__", None)
    task = traced if isinstance(traced, TaskDebugger) else TaskDebugger(debugger)
    if header is not None:
        task.announce(header)
    # Nothing may follow: the task is traced from here on.
    task.set_trace(frame)


class AtBreakpoint(Session):
    """The session of a task that has come to a breakpoint."""

    about = (
        "`c` lets the task go on, `q` ends it with BdbQuit, `h` lists all commands of pdb; "
        "Ctrl-D leaves it waiting"
    )

    def __init__(self) -> None:
        super().__init__()
        self.runs_here()
        # Nobody is attached yet.
        self.close()


class TaskDebugger(pdb.Pdb):
    """Python's debugger, with a session in place of a terminal.

    Parameters
    ----------
    debugger : Debugger
        The debugger of the server.
    """

    def __init__(self, debugger: Debugger) -> None:
        self._session = AtBreakpoint()
        own: Any = {"stdin": _Input(self._session), "stdout": _Output(self._session)}
        super().__init__(nosigint=True, readrc=False, **own)
        self._debugger = debugger
        self._is_known = False
        # The outermost frame of the task.
        self._bottom: FrameType | None = None

    def interaction(self, frame: FrameType | None, *arguments: Any) -> None:
        """Speak with the client, while the task waits."""
        session = self._session
        if frame is not None:
            *_, self._bottom = frames_of(frame)
            session.place = _place(frame)
        if not self._is_known:
            self._is_known = True
            self._debugger.add(session)
        if not session.is_attached():
            target = self._debugger.target
            self._debugger.server.log(
                f"breakpoint in {session.place}: `bgpy attach {target}` opens it"
            )
        try:
            with redirect.to(session):
                super().interaction(frame, *arguments)
        finally:
            session.place = None
            session.begins = session.position()

    def _cmdloop(self) -> None:
        """Take the place of a method of pdb, which would ignore any KeyboardInterrupt."""
        while True:
            try:
                self.cmdloop()
                return
            except KeyboardInterrupt:
                if not self._session.was_interrupted():
                    # A second signal to the server ends the task.
                    self.set_quit()
                    return
                self.message("--KeyboardInterrupt--")

    def announce(self, header: str) -> None:
        """Print what the task has to say."""
        self._session.write(f"{header}\n")

    def get_stack(self, frame: Any, traceback: Any) -> Any:
        """Return the stack without the frames of the server below the task."""
        stack, index = super().get_stack(frame, traceback)
        if self._bottom is not None:
            for below, (entry, _) in enumerate(stack):
                if entry is self._bottom:
                    return stack[below:], index - below
        return stack, index

    def set_continue(self) -> None:
        """Let the task go on; without breakpoints of its own the session is over."""
        super().set_continue()
        if not self.breaks:
            self._end()

    def set_quit(self) -> None:
        """End the task."""
        super().set_quit()
        self._end()

    def dispatch_return(self, frame: FrameType, argument: Any) -> Any:
        """Stop tracing where the task returns: what follows is the server."""
        dispatched = super().dispatch_return(frame, argument)
        if frame is self._bottom and not self.quitting:
            # From 3.14 on, pdb may trace in other ways, too.
            getattr(self, "stop_trace", lambda: sys.settrace(None))()
            self._end()
            return None
        return dispatched

    def _end(self) -> None:
        self._session.end()
        # pdb keeps breakpoints for all debuggers of the process.
        others = [session for session in self._debugger.breakpoints() if not session.is_over]
        if not others:
            bdb.Breakpoint.clearBreakpoints()


class _Input:
    """Reads the commands of the client."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def readline(self) -> str:
        while True:
            try:
                return self._session.readline()
            except EOFError:
                return "continue\n"
            except KeyboardInterrupt:
                # One of the client's came too late for what it was to interrupt.
                if not self._session.was_interrupted():
                    raise


class _Output:
    """Prints for the client. pdb makes it the output of all threads while it runs a statement."""

    encoding = "utf-8"

    def __init__(self, session: Session) -> None:
        self._session = session

    def write(self, text: str) -> int:
        return (self._session if self._session.is_here() else redirect.stdout).write(text)

    def flush(self) -> None:
        """Do nothing: what is printed is there."""

    def isatty(self) -> bool:
        return False


def _place(frame: FrameType) -> str:
    file = os.path.basename(frame.f_code.co_filename)
    return f"{frame.f_code.co_name} at {file}:{frame.f_lineno}"
