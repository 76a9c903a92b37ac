"""Finds the part of an object that cannot be pickled, after pickling it has failed.

The object is pickled once more, and the parts are recorded as they are pickled: the last one is to
blame. Then its path from the object is searched. If it has none, because a reducer created it, the
innermost part that cannot be pickled by itself is reduced, and the search goes on in what its
reducer returns. All searches together have a time limit, after which the part found so far is
named.
"""

from __future__ import annotations

import time
from collections import deque
from types import FunctionType

from ._by_value import StopVisiting, visit_parts
from ._object_parts import parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SECONDS = 2.0
_OBJECTS_MAX = 200_000
_STEPS_MAX = 100
_NOTED = 4096
_TRIED = 16
# Number of reducers that are called, one in what another one returns.
_REDUCED_MAX = 8
_PROTOCOL = 5
_CODE = (type, FunctionType)


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
    path, part = root, obj
    if not isinstance(error, RecursionError):
        end = time.monotonic() + _SECONDS
        for _ in range(_REDUCED_MAX):
            path, part = _innermost(part, path, end)
            reduced = _reduced(part)
            if reduced is None or not _fails(reduced[1], deque(maxlen=1), end):
                break
            inside, made = _innermost(reduced[1], f"{path}{reduced[0]}", end)
            if made is reduced[1]:
                # What its reducer returns cannot be pickled as a whole.
                break
            path, part = inside, made
    return path, type(part)


def _reduced(part: Any) -> tuple[str, Any] | None:
    """Return what an object's own reducer makes of it, with the call of it; None if it has none."""
    kind: Any = type(part)
    if isinstance(part, _CODE):
        return None
    try:
        if kind.__reduce_ex__ is not object.__reduce_ex__:
            return f".__reduce_ex__({_PROTOCOL})", part.__reduce_ex__(_PROTOCOL)
        if kind.__reduce__ is not object.__reduce__:
            return ".__reduce__()", part.__reduce__()
        if kind.__getstate__ is not object.__getstate__:
            return ".__getstate__()", part.__getstate__()
    except Exception:
        # The reducer itself is to blame.
        return None
    return None


def _innermost(obj: Any, root: str, end: float) -> tuple[str, Any]:
    """Return the innermost part that cannot be pickled and that has a path, with its path."""
    noted: deque[Any] = deque(maxlen=_NOTED)
    if not _fails(obj, noted, end):
        return root, obj
    found = _found(obj, root, {id(part): place for place, part in enumerate(noted)}, end)
    last = len(noted) - 1
    if last not in found:
        # Otherwise the last recorded part that has a path and fails by itself. Objects come first:
        # code has no reducer of its own, and is long.
        order = sorted(found, reverse=True)
        tried = [place for place in order if not isinstance(noted[place], _CODE)][:_TRIED]
        tried += [place for place in order if isinstance(noted[place], _CODE)][:_TRIED]
        last = next((place for place in tried if _fails(noted[place], deque(maxlen=1), end)), -1)
    return (found[last], noted[last]) if last in found else (root, obj)


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
