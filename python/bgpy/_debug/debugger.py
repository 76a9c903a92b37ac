"""The debugger of a server: answers what ``bgpy dump`` and ``bgpy attach`` ask for."""

from __future__ import annotations

import _thread
import itertools
import os
import sys

from . import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from .session import Session

    class Server(Protocol):
        """The server, as far as its debugger needs it."""

        def log(self, text: str, /) -> None:
            """Write a line to the log."""

        def tasks(self) -> tuple[dict[Any, Any] | None, Callable[..., object] | None]:
            """Return the state and exec_task, as far as there are any."""

        def service(self) -> object:
            """Return the object of a service, or None."""


# Prompts that may be open at once.
PROMPTS = 8

# Whoever is authenticated may open a prompt only where pickles, which can run any code, are taken.
NO_CODE = (
    "this server takes no pickles (allow_pickle=False), so its clients may not run code in it: "
    "`bgpy dump` shows what it does"
)


class Refused(Exception):
    """The server does not do what was asked for; the text says why."""


class Debugger:
    """The debugger of a server.

    Parameters
    ----------
    target : str
        The server as ``bgpy attach`` names it.
    allow_pickle : bool
        Whether clients may run code.
    server : Server
        The server.
    spare : tuple of int, optional
        A signal that nobody uses, and the descriptor of a file: the handler of the signal writes
        the stacks of all threads there, without the GIL.
    """

    def __init__(
        self,
        *,
        target: str,
        allow_pickle: bool,
        server: Server,
        spare: tuple[int, int] | None,
    ) -> None:
        self.target = target
        self.allow_pickle = allow_pickle
        self.server = server
        self.thread = _thread.get_ident()
        self._signal: int | None = None
        self._sessions: dict[int, Session] = {}
        self._numbers = itertools.count(1)
        if spare is not None:
            import faulthandler

            signal, descriptor = spare
            try:
                faulthandler.register(signal, file=descriptor, all_threads=True, chain=False)
            except (AttributeError, OSError, RuntimeError, ValueError):
                # Without it, everything else works.
                return
            self._signal = signal

    def let_go(self) -> None:
        """Remove the handler of the signal."""
        if self._signal is not None:
            import faulthandler

            faulthandler.unregister(self._signal)
            self._signal = None

    def remove(self) -> None:
        """Restore what was there before the server."""
        self.let_go()
        hooks.remove(self)
        for session in list(self._sessions.values()):
            session.abandon()

    def stacks(self, running: tuple[str, float] | None) -> str:
        """Return what every thread does.

        Parameters
        ----------
        running : tuple of str and float, optional
            The running task, and for how many seconds it has run.

        Returns
        -------
        str
            The text.
        """
        from .stacks import describe

        return describe(self.thread, running)

    def open(self, prompt: bool) -> tuple[int, int, str | None, str]:
        """Open a session.

        Parameters
        ----------
        prompt : bool
            Whether it must be a prompt, even if a task waits at a breakpoint.

        Returns
        -------
        tuple
            Its number, where its output begins, the breakpoint if it is at one, and what to tell
            the user.
        """
        if not self.allow_pickle:
            raise Refused(NO_CODE)
        if "threading" not in sys.modules and sys.version_info < (3, 13):
            # It would take this thread for the main thread.
            raise Refused("the server is starting: `bgpy dump` shows where it is")
        self._forget_ended()
        sessions = list(self._sessions.items())
        if not prompt:
            for number, session in sessions:
                if session.place is not None and not session.is_attached():
                    session.attach()
                    return number, session.begins, session.place, session.about
        running = [session for _, session in sessions if session.is_prompt and not session.is_over]
        if len(running) >= PROMPTS:
            raise Refused(
                f"{PROMPTS} prompts are open already: leave one of them with exit() or Ctrl-D. One "
                f"whose statement hangs counts until that ends; `bgpy dump` shows where"
            )
        from .prompt import Prompt

        session = Prompt(self)
        number = self.add(session)
        session.begin(number)
        return number, session.begins, None, session.about

    def add(self, session: Session) -> int:
        """Take a session into the table, and return its number."""
        number = next(self._numbers)
        self._sessions[number] = session
        return number

    def console(
        self, number: int, after: int, line: str | None, limit: int
    ) -> tuple[bytes, int, str | None, bool]:
        """Pass on a line to a session, and return what it has printed since.

        Parameters
        ----------
        number : int
            The session.
        after : int
            How many bytes of its output the client has.
        line : str, optional
            The line.
        limit : int
            How many bytes to return at most.

        Returns
        -------
        tuple
            The output, the position behind it, the prompt with which the session reads a line now
            if it does, and whether it has ended.
        """
        session = self._session(number)
        if line is not None and not session.put(line):
            raise Refused("the session does not read a line now")
        output, after, reads, over = session.take(after, limit)
        if over:
            self._sessions.pop(number, None)
        return output, after, reads, over

    def interrupt(self, number: int) -> int | None:
        """Return the thread in which to raise KeyboardInterrupt, if the session runs something."""
        return self._session(number).interrupt()

    def close(self, number: int) -> None:
        """End a prompt, or leave a task at its breakpoint."""
        self._session(number).close()

    def breakpoints(self) -> list[Session]:
        """Return the sessions of tasks that have come to a breakpoint."""
        return [session for session in list(self._sessions.values()) if not session.is_prompt]

    def _session(self, number: int) -> Session:
        session = self._sessions.get(number)
        if session is None:
            raise Refused("the session has ended")
        return session

    def _forget_ended(self) -> None:
        for number, session in list(self._sessions.items()):
            if session.is_over and not session.is_attached():
                self._sessions.pop(number, None)


def install(**parts: Any) -> Debugger:
    """Make the debugger of a server in this process, until it is removed."""
    debugger = Debugger(**parts)
    hooks.install(debugger)
    return debugger


def this_process() -> str:
    """Return what to call this process: its id and its version of Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    return f"process {os.getpid()}, Python {version}"
