"""What a server changes in its process so that tasks stop at breakpoints: undone at its end.

Of this package, only this module and the debugger are imported at the start of a server.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from .debugger import Debugger

# The debuggers of the servers of this process.
installed: list[Debugger] = []

_watches_forks = False


def install(debugger: Debugger) -> None:
    """Let breakpoints open in a session of this debugger."""
    global _watches_forks
    installed.append(debugger)
    if not _watches_forks and hasattr(os, "register_at_fork"):
        _watches_forks = True
        os.register_at_fork(after_in_child=_forget)
    # On a terminal, Python's own debugger works.
    has_terminal = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    if not has_terminal and sys.breakpointhook is sys.__breakpointhook__:
        sys.breakpointhook = _stop
        _Pdb.watch()


def remove(debugger: Debugger) -> None:
    """Forget a debugger; the last one restores what was there before."""
    if debugger in installed:
        installed.remove(debugger)
    if not installed:
        _restore()


def _restore() -> None:
    if sys.breakpointhook is _stop:
        sys.breakpointhook = sys.__breakpointhook__
    _Pdb.leave()


def _forget() -> None:
    """Make this forked child an ordinary process."""
    for debugger in installed:
        debugger.let_go()
    installed.clear()
    _restore()
    redirect = sys.modules.get("bgpy._debug.redirect")
    if redirect is not None:
        redirect.forget()


def _debugger() -> Debugger | None:
    """Return the debugger of the server whose tasks this thread runs, or else the last one."""
    import _thread

    own = [debugger for debugger in installed if debugger.thread == _thread.get_ident()]
    return own[-1] if own else installed[-1] if installed else None


def _stop(*arguments: Any, **keywords: Any) -> Any:
    """Take the place of ``sys.breakpointhook``."""
    debugger = _debugger()
    if debugger is None or os.environ.get("PYTHONBREAKPOINT", "") not in ("", "pdb.set_trace"):
        return sys.__breakpointhook__(*arguments, **keywords)
    from .breakpoints import stop

    # Nothing may follow: the task is traced from here on.
    stop(debugger, sys._getframe(1), *arguments, **keywords)
    return None


class _Pdb:
    """Replaces ``pdb.set_trace``, once somebody imports pdb."""

    _finder: _Pdb | None = None
    _replaced: Callable[..., Any] | None = None

    @classmethod
    def watch(cls) -> None:
        module = sys.modules.get("pdb")
        if module is not None:
            cls.replace(module)
        else:
            cls._finder = cls()
            sys.meta_path.insert(0, cls._finder)

    @classmethod
    def leave(cls) -> None:
        if cls._finder in sys.meta_path:
            sys.meta_path.remove(cls._finder)
        module = sys.modules.get("pdb")
        if module is not None and cls._replaced is not None and module.set_trace is _set_trace:
            module.set_trace = cls._replaced  # type: ignore[attr-defined]
        cls._finder = None

    @classmethod
    def replace(cls, module: ModuleType) -> None:
        cls._replaced = module.set_trace
        module.set_trace = _set_trace  # type: ignore[attr-defined]

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "pdb":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                if installed:
                    self.replace(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _set_trace(*arguments: Any, **keywords: Any) -> None:
    """Take the place of ``pdb.set_trace``."""
    debugger = _debugger()
    if debugger is None:
        import pdb

        pdb.Pdb().set_trace(sys._getframe(1))
        return
    from .breakpoints import stop

    stop(debugger, sys._getframe(1), *arguments, **keywords)
