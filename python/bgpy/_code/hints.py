"""Annotations of classes that travel: text that only their module understands gets its meaning.

A class that was built elsewhere says that it is from a module whose names it does not find there.
`typing.get_type_hints`, and whoever decodes data by it, would look for them in vain.
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

# Meanings hold classes, so that there are fewer.
_MEANT_MAX = 256

_kept: dict[str, tuple[str, ...]] = {}
# What text means in a module, with what its names meant.
_meant: dict[tuple[str, str], tuple[list[Any], Any]] = {}


def resolved(cls: type, annotations: dict[str, Any]) -> dict[str, Any]:
    """Return annotations in which text that uses names of the module is what it means.

    Parameters
    ----------
    cls : type
        The class that has them.
    annotations : dict
        What stands in the class. It stays as it is.
    """
    module = _module(cls)
    found = {}
    for name, hint in list(annotations.items()):
        # Names of the class and those that are built in are known there as well.
        if not module.keys().isdisjoint(_names(hint)):
            found[name] = _resolved(hint, module, vars(cls))
    return {**annotations, **found} if found else annotations


def namespace(cls: type, annotations: dict[str, Any]) -> dict[str, Any]:
    """Return what the annotations of a class use of its module."""
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
            # Text in text, as of a module that keeps all annotations as text.
            inner = [it for text in code.co_consts if type(text) is str for it in _names_in(text)]
            found = (*code.co_names, *inner)
        if len(_kept) >= _KEPT_MAX:
            _kept.clear()
        _kept[text] = found
    return found


def _resolved(hint: Any, module: dict[str, Any], own: Any) -> Any:
    """Return what an annotation means, which is the same as long as its names mean the same."""
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
        # The module does not understand it either, or only while it is type-checked.
        return hint
