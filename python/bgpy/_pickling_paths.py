"""Finds the part of an object that cannot be pickled, after pickling it has failed.

The object is pickled once more, and the parts are recorded as they are pickled: the last one is to
blame. Then its path from the object is searched. If it has none, because a reducer created it, the
innermost part that cannot be pickled by itself is named. Both searches have a time limit, after
which the object as a whole is named.
"""

from __future__ import annotations

import time
from collections import deque

from ._by_value import StopVisiting, visit_parts
from ._object_parts import parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SECONDS = 2.0
_OBJECTS_MAX = 200_000
_STEPS_MAX = 100
_NOTED = 64
_TRIED = 16


def culprit(obj: Any, root: str, error: BaseException) -> tuple[str, type]:
    """Find the part that raised.

    Parameters
    ----------
    obj : object
        The object that could not be pickled.
    root : str
        Its name in the path.
    error : BaseException
        The exception that was raised.

    Returns
    -------
    tuple of str and type
        The path of the innermost part to blame (``args["model"].layers[3]``), and its type.
    """
    end = time.monotonic() + _SECONDS
    if isinstance(error, RecursionError):
        return root, type(obj)
    noted: deque[Any] = deque(maxlen=_NOTED)
    if not _fails(obj, noted, end):
        return root, type(obj)
    found = _found(obj, root, {id(part): place for place, part in enumerate(noted)}, end)
    last = len(noted) - 1
    if last not in found:
        # Otherwise the last recorded part that has a path and fails by itself.
        tried = sorted(found, reverse=True)[:_TRIED]
        last = next((place for place in tried if _fails(noted[place], deque(maxlen=1), end)), -1)
    return (found[last], type(noted[last])) if last in found else (root, type(obj))


def _fails(obj: Any, noted: deque[Any], end: float) -> bool:
    count = 0

    def visit(part: Any) -> None:
        nonlocal count
        count += 1
        if count > _OBJECTS_MAX or time.monotonic() > end:
            raise StopVisiting
        noted.append(part)

    try:
        visit_parts(obj, visit)
    except StopVisiting:
        return False
    except Exception:
        return True
    return False


def _found(obj: Any, root: str, latest: dict[int, int], end: float) -> dict[int, str]:
    """Search all parts, breadth first, and return the paths of those that were recorded."""
    found: dict[int, str] = {}
    known, queue = {id(obj): obj}, deque([(obj, root, 0)])
    while queue and len(known) < _OBJECTS_MAX and time.monotonic() < end:
        part, path, steps = queue.popleft()
        if id(part) in latest:
            found.setdefault(latest[id(part)], path)
        if steps == _STEPS_MAX:
            continue
        for before, inner, behind in parts(part):
            if id(inner) not in known:
                known[id(inner)] = inner
                queue.append((inner, f"{before}{path}{behind}", steps + 1))
    return found
