"""Evaluates text in the annotations of classes before they are sent.

A class that is rebuilt elsewhere names a module that may lack the names its annotations use, so
`typing.get_type_hints`, and libraries that decode data by it, would not find them there.
"""

from __future__ import annotations

import sys
from operator import is_

from .weak import oldest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_KEPT_MAX = 4096

# Values hold classes, so fewer are kept.
_MEANT_MAX = 256

_kept: dict[str, tuple[str, ...]] = {}
# The value of a text in a module, with the values that its names had.
_meant: dict[tuple[str, str], tuple[list[Any], Any]] = {}


def resolved(cls: type, annotations: dict[str, Any]) -> dict[str, Any]:
    """Return annotations in which text that uses names of the module is evaluated.

    Parameters
    ----------
    cls : type
        The class that has them.
    annotations : dict
        Its annotations, which are not modified.
    """
    module = _module(cls)
    found = {}
    for name, hint in list(annotations.items()):
        # Names of the class and built-in names are available to the receiver, too.
        if not module.keys().isdisjoint(_names(hint)):
            found[name] = _resolved(hint, module, vars(cls))
    return {**annotations, **found} if found else annotations


def namespace(cls: type, annotations: dict[str, Any]) -> dict[str, Any]:
    """Return the names of its module that the annotations of a class use, with their values."""
    module = _module(cls)
    used = {name for hint in list(annotations.values()) for name in _names(hint)}
    return {name: module[name] for name in sorted(used) if name in module}


def _module(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = getattr(sys.modules.get(cls.__module__), "__dict__", {})
    return found


def _names(hint: Any) -> Iterator[str]:
    """Yield the names in the text that an annotation consists of or holds."""
    if type(hint) is str:
        yield from _names_in(hint)
    elif type(hint).__name__ == "ForwardRef":
        yield from _names_in(hint.__forward_arg__)
    elif not isinstance(hint, type) or hasattr(hint, "__origin__"):
        for part in getattr(hint, "__args__", ()):
            yield from _names(part)


def _names_in(text: str) -> tuple[str, ...]:
    found = _kept.get(text)
    if found is None:
        try:
            code = compile(text, "<annotation>", "eval")
        except (SyntaxError, ValueError):
            found = ()
        else:
            # Text within text, as with `from __future__ import annotations`.
            inner = [it for text in code.co_consts if type(text) is str for it in _names_in(text)]
            found = (*code.co_names, *inner)
        if len(_kept) >= _KEPT_MAX:
            _kept.clear()
        _kept[text] = found
    return found


def _resolved(hint: Any, module: dict[str, Any], own: Any) -> Any:
    """Return the value of an annotation, cached as long as its names have the same values."""
    values = [it for name in _names(hint) for it in (module.get(name), own.get(name))]
    place = (str(module.get("__name__")), hint) if type(hint) is str else None
    known = _meant.get(place) if place else None
    if known is not None and len(known[0]) == len(values) and all(map(is_, known[0], values)):
        return known[1]
    found = _evaluated(hint, module, dict(own))
    if place:
        while len(_meant) >= _MEANT_MAX:
            _meant.pop(oldest(_meant, place), None)
        _meant[place] = values, found
    return found


def _evaluated(hint: Any, module: dict[str, Any], own: dict[str, Any]) -> Any:
    import typing

    class Holder:
        __annotations__ = {"hint": hint}

    try:
        return typing.get_type_hints(Holder, module, own, include_extras=True)["hint"]
    except Exception:
        # The names do not exist, or only for type checkers.
        return hint
