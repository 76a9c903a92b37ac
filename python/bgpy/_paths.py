"""Finds the part of an object that cannot be pickled, after pickling it has failed.

The object is pickled once more, and each part is noted when its turn comes: the last one is the
culprit, or belongs to it. Then its way from the object is looked for. Both end after a while, with
the object as a whole to blame.
"""

from __future__ import annotations

import time
from collections import deque
from types import FunctionType, MethodType, ModuleType

from ._by_value import Noted, note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_SECONDS = 2.0
_OBJECTS_MAX = 200_000
_STEPS_MAX = 100
_NOTED = 64
_KEY_CHARS = 40
_LEAVES = (type(None), bool, int, float, complex, str, bytes, type, ModuleType)


def culprit(obj: Any, root: str, error: BaseException) -> tuple[str, type]:
    """Find the part that raised.

    Parameters
    ----------
    obj : object
        What could not be pickled.
    root : str
        What it is called in the path.
    error : BaseException
        What was raised.

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
    latest = {id(part): place for place, part in enumerate(noted)}
    return _search(obj, root, latest, end)


def _fails(obj: Any, noted: deque[Any], end: float) -> bool:
    count = 0

    def visit(part: Any) -> None:
        nonlocal count
        count += 1
        if count > _OBJECTS_MAX or time.monotonic() > end:
            raise Noted
        noted.append(part)

    try:
        note(obj, visit)
    except Noted:
        return False
    except Exception:
        return True
    return False


def _search(obj: Any, root: str, latest: dict[int, int], end: float) -> tuple[str, type]:
    """Walk over all parts, those near the root first; the one that was noted last wins."""
    best, found = -1, (root, type(obj))
    known, queue = {id(obj): obj}, deque([(obj, root, 0)])
    while queue and len(known) < _OBJECTS_MAX and time.monotonic() < end:
        part, path, steps = queue.popleft()
        if latest.get(id(part), -1) > best:
            best, found = latest[id(part)], (path, type(part))
        if steps == _STEPS_MAX:
            continue
        for before, inner, behind in _parts(part):
            # A leaf that raises is none of these; and those are often shared.
            if id(inner) not in known and not isinstance(inner, _LEAVES):
                known[id(inner)] = inner
                queue.append((inner, f"{before}{path}{behind}", steps + 1))
    return found


def _parts(obj: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield what an object holds, between what stands before and behind the object's own path."""
    if isinstance(obj, dict):
        for place, (key, value) in enumerate(list(dict.items(obj))):
            yield "list(", key, f")[{place}]"
            yield "", value, f"[{_key(key)}]"
    elif isinstance(obj, (list, tuple, deque)):
        for place, item in enumerate(list(obj)):
            yield "", item, f"[{place}]"
    elif isinstance(obj, (set, frozenset)):
        for place, item in enumerate(list(obj)):
            yield "list(", item, f")[{place}]"
    elif isinstance(obj, FunctionType):
        for name, cell in zip(obj.__code__.co_freevars, obj.__closure__ or (), strict=False):
            yield "", _attribute(cell, "cell_contents"), f".{name}"
        for name in obj.__code__.co_names:
            yield "", obj.__globals__.get(name), f'.__globals__["{name}"]'
    elif isinstance(obj, MethodType):
        yield "", obj.__self__, ".__self__"
    for name in _attributes(obj):
        yield "", _attribute(obj, name), f".{name}"


def _attributes(obj: Any) -> list[str]:
    """Name the attributes that an object keeps something in."""
    names = []
    for cls in type(obj).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                hidden = name.startswith("__") and not name.endswith("__")
                names.append(f"_{cls.__name__.lstrip('_')}{name}" if hidden else name)
    own = _attribute(obj, "__dict__")
    return names + [name for name in list(own) if isinstance(name, str)] if own else names


def _attribute(obj: Any, name: str) -> Any:
    try:
        return getattr(obj, name)
    except Exception:
        return None


def _key(key: Any) -> str:
    try:
        text = '"' + repr(key)[1:-1].replace('"', '\\"') + '"' if type(key) is str else repr(key)
    except Exception:
        text = f"<{type(key).__name__}>"
    return text if len(text) <= _KEY_CHARS else text[:_KEY_CHARS] + "..."
