"""Finds out whether a thread waits until another one has ended.

It looks at the frames of the threads for calls of the standard library that wait for a thread and
have no time limit. Waits for events, locks and queues tell nothing about who ends them.
"""

from __future__ import annotations

import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any


def waits_for_this_thread(thread: int) -> bool:
    """Return whether a thread waits for the end of the calling thread, or for what it computes.

    Parameters
    ----------
    thread : int
        Identifier of the thread, as returned by `threading.get_ident`.
    """
    frames = sys._current_frames()
    known, queue = {thread}, [thread]
    for waiting in queue:
        for awaited in _awaited(frames.get(waiting), frames):
            if awaited == get_ident():
                return True
            if awaited not in known:
                known.add(awaited)
                queue.append(awaited)
    return False


def _awaited(frame: FrameType | None, frames: dict[int, FrameType]) -> Iterator[int]:
    """Yield the threads that the thread of a frame waits for."""
    join = _code("threading", "Thread", "join")
    result = _code("concurrent.futures", "Future", "result")
    while frame is not None:
        if frame.f_code in (join, result) and frame.f_locals.get("timeout") is None:
            awaited: Any = frame.f_locals.get("self")
            if frame.f_code is join:
                yield awaited.ident
            else:
                yield from _computing(awaited, frames)
        frame = frame.f_back


def _computing(future: Any, frames: dict[int, FrameType]) -> Iterator[int]:
    """Yield the thread that computes the result of a future."""
    run = _code("concurrent.futures.thread", "_WorkItem", "run")
    for thread, found in frames.items():
        frame: FrameType | None = found
        while frame is not None:
            if frame.f_code is run:
                work = frame.f_locals.get("self")
                # The frame forgets it when it is done.
                if work is not None and work.future is future:
                    yield thread
            frame = frame.f_back


def _code(module: str, cls: str, method: str) -> Any:
    """Return the code of a method, unless its module was never imported."""
    found: Any = getattr(sys.modules.get(module), cls, None)
    return getattr(getattr(found, method, None), "__code__", module)
