"""The stacks of all threads of this process, and of the asyncio tasks in them, as text."""

from __future__ import annotations

import _thread
import os
import sys
import traceback

from .debugger import this_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

# Frames of a thread that are shown, the innermost ones.
FRAMES = 100

# Threads that are shown.
THREADS = 500

# asyncio tasks that are shown for each loop.
TASKS = 200

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What runs a server, below its tasks.
_OWN = {os.path.join(_PACKAGE, name) for name in ("_background.py", "__main__.py")}


def describe(server: int, running: tuple[str, float] | None) -> str:
    """Return what every thread does.

    Parameters
    ----------
    server : int
        The thread that runs the tasks.
    running : tuple of str and float, optional
        The running task, and for how many seconds it has run.

    Returns
    -------
    str
        The text.
    """
    # First of all, because other threads go on meanwhile.
    frames = sys._current_frames()
    frames.pop(_thread.get_ident(), None)
    threads = {ident: list(frames_of(frame)) for ident, frame in frames.items()}
    names = _names()
    order = sorted(threads, key=lambda ident: (ident != server, ident))
    lines = [f"{this_process()}, most recent call last\n"]
    for ident in order[:THREADS]:
        name, is_daemon = names.get(ident, (f"{ident:#x}", False))
        if ident == server and ident not in names:
            name = "MainThread"
        about = ", daemon" if is_daemon else ""
        if ident == server:
            about = f" runs {running[0]} for {running[1]:.1f} s" if running else " runs the server"
        lines.append(f"\nThread {name!r}{about}:\n")
        lines += _lines(threads[ident]) or ["  waits for calls\n"]
        lines += _asyncio(name, threads[ident])
    if len(order) > THREADS:
        lines.append(f"\n{len(order) - THREADS} more threads\n")
    return "".join(lines)


def frames_of(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames of a stack, the innermost first, without those of the server below them."""
    stack = []
    while frame is not None:
        stack.append(frame)
        frame = frame.f_back
    while stack and _is_own(stack[-1]):
        stack.pop()
    yield from stack


def _is_own(frame: FrameType) -> bool:
    """Return whether a frame belongs to what runs the server, not to its tasks."""
    file, name = frame.f_code.co_filename, frame.f_code.co_name
    return file in _OWN or file == "<frozen runpy>" or (file, name) == ("<string>", "<module>")


def _names() -> dict[int, tuple[str, bool]]:
    threading = sys.modules.get("threading")
    if threading is None:
        return {}
    return {thread.ident: (thread.name, thread.daemon) for thread in threading.enumerate()}


def _lines(stack: list[FrameType]) -> list[str]:
    """Return the lines for a stack, whose innermost frame is first."""
    shown = [(frame, frame.f_lineno or 0) for frame in reversed(stack[:FRAMES])]
    summary = traceback.StackSummary.extract(iter(shown), lookup_lines=True)
    left_out = len(stack) - len(shown)
    note = [f"  [{left_out} outer frames are left out]\n"] if left_out else []
    return note + summary.format()


def _asyncio(thread: str, stack: list[FrameType]) -> list[str]:
    """Return the lines for the tasks of a loop that runs in a thread."""
    asyncio = sys.modules.get("asyncio")
    loop = None if asyncio is None else _loop(asyncio, stack)
    if asyncio is None or loop is None:
        return []
    lines = []
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    current = asyncio.current_task(loop)
    for task in tasks[:TASKS]:
        doing = " runs:\n  see above\n" if task is current else " waits:\n"
        lines.append(f"\nasyncio task {task.get_name()!r} of thread {thread!r}{doing}")
        if task is not current:
            lines += _lines(_awaits(task.get_coro())[::-1])
    if len(tasks) > TASKS:
        lines.append(f"\n{len(tasks) - TASKS} more asyncio tasks of thread {thread!r}\n")
    return lines


def _loop(asyncio: Any, stack: list[FrameType]) -> Any:
    """Return the loop that a thread runs, if it runs one: a local variable of asyncio's frames."""
    own = os.path.dirname(asyncio.__file__) + os.sep
    for frame in stack:
        if not frame.f_code.co_filename.startswith(own):
            continue
        owner = frame.f_locals.get("self")
        if isinstance(owner, asyncio.Runner):
            owner = owner.get_loop()
        if isinstance(owner, asyncio.AbstractEventLoop) and owner.is_running():
            return owner
    return None


def _awaits(awaitable: Any) -> list[FrameType]:
    """Return the frames of a suspended coroutine and of what it awaits, the outermost first."""
    frames: list[FrameType] = []
    while awaitable is not None and len(frames) < FRAMES:
        for frame, inner in (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom")):
            if hasattr(awaitable, frame):
                if getattr(awaitable, frame) is not None:
                    frames.append(getattr(awaitable, frame))
                awaitable = getattr(awaitable, inner)
                break
        else:
            break
    return frames
