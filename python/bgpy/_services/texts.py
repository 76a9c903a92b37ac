"""Arguments that a user has written as text, on a command line."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .table import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Annotations whose values are texts as they stand.
_TEXT = ("str", "str | None", "Optional[str]", "None | str")
# As Python writes what is true, false and null in JSON.
_WORDS = {"True": True, "False": False, "None": None}
_JSON = json.JSONDecoder()
# Annotations that a value is checked against, as by `bgpy call`, and the types that fit.
_CHECKED = {"int": (int,), "float": (int, float), "bool": (bool,)}


def values(factory: Callable[..., Any], texts: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the keyword arguments of a class or function.

    A text is taken as JSON or as True, False or None, or else as it stands. For a parameter that
    is annotated as `str`, it always stands for itself; for one that is annotated as a path, it
    becomes one.

    Raises
    ------
    TypeError
        If there is no such parameter, or if the value of one that is annotated as `int`, `float` or
        `bool` is of another type.
    """
    hints = _hints(factory)
    found = {}
    for name, text in texts:
        if hints is not None and name not in hints and None not in hints:
            known = ", ".join(str(name) for name in hints) or "none"
            made = getattr(factory, "__name__", repr(factory))
            raise TypeError(f"{made} has no parameter {name!r}; it has: {known}")
        found[name] = value(name, text, (hints or {}).get(name))
    return found


def value(name: str, text: str, annotation: str | None) -> Any:
    """Return what a text stands for, given the annotation of its parameter."""
    hint = (annotation or "").strip("'\"").removeprefix("typing.")
    if hint in _TEXT:
        return text
    if hint.rpartition(".")[2] == "Path":
        from pathlib import Path

        return Path(text)
    found = _read(text, is_float=hint == "float")
    fitting = _CHECKED.get(hint)
    if fitting is not None and (
        not isinstance(found, fitting) or (isinstance(found, bool) and bool not in fitting)
    ):
        raise TypeError(f"{name} must be of type {hint}, not {text!r}")
    return found


def _read(text: str, is_float: bool) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    try:
        return _JSON.decode(text)
    except ValueError:
        pass
    if is_float:
        with suppress(ValueError):
            # What JSON does not have, such as `.5` and `inf`.
            return float(text)
    return text


def _hints(factory: Any) -> dict[str | None, str | None] | None:
    """Return the parameters with their annotations; None stands for any further name."""
    shim = type("shim", (), {"__init__": None, "make": staticmethod(factory)})
    if isinstance(factory, type):
        shim = type("shim", (), {"make": getattr(factory, "__init__")})  # noqa: B009
    about = next(it for it in table(shim)["methods"] if it["name"] == "make")
    if about["parameters"] is None:
        return None
    return {
        None if it["kind"] == "keywords" else it["name"]: it["annotation"]
        for it in about["parameters"]
        if it["kind"] in ("any", "keyword", "keywords")
    }
