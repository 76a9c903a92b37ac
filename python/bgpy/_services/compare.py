"""What a server's object has otherwise than the class by which a client knows it."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from .._warnings import warn
from .table import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_tables: WeakKeyDictionary[type, dict[str, Any]] = WeakKeyDictionary()
_SHOWN = 5


def warn_of_differences(target: str, theirs: dict[str, Any], cls: type) -> None:
    """Warn if the object has not what the class promises."""
    ours = _tables.get(cls)
    if ours is None:
        ours = _tables[cls] = table(cls)
    if ours == theirs:
        return
    found = [*_differences(ours, theirs)]
    if not found:
        return
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    text = f"{theirs['class']} on {target} is not your {ours['class']}: "
    text += "; ".join(found[:_SHOWN]) + more
    warn(text)


def _differences(ours: dict[str, Any], theirs: dict[str, Any]) -> Any:
    known = {about["name"]: about for about in theirs["methods"]}
    for about in ours["methods"]:
        name, other = about["name"], known.get(about["name"])
        if other is None:
            yield f"it has no {name}"
        elif about["kind"] != other["kind"]:
            kinds = {"call": "a method", "stream": "a stream", "property": "a property"}
            yield f"its {name} is {kinds[other['kind']]}"
        elif _shape(about) != _shape(other):
            yield f"its {name} has other parameters"


def _shape(about: dict[str, Any]) -> Any:
    parameters = about["parameters"]
    if parameters is None:
        return None
    return [(it["name"], it["kind"], it["default"] is None) for it in parameters]
