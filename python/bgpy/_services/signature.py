"""Signatures of remote methods, for people and tools, and for the error of a wrong argument."""

from __future__ import annotations

import inspect
from typing import Any

_KINDS = {
    "positional": inspect.Parameter.POSITIONAL_ONLY,
    "any": inspect.Parameter.POSITIONAL_OR_KEYWORD,
    "rest": inspect.Parameter.VAR_POSITIONAL,
    "keyword": inspect.Parameter.KEYWORD_ONLY,
    "keywords": inspect.Parameter.VAR_KEYWORD,
}


class Shown:
    """A default of which only the text is known."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class Annotation(str):
    """An annotation of which only the text is known; it is displayed without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def signature(about: dict[str, Any], own: tuple[str, ...] = ()) -> inspect.Signature:
    """Return the signature of a method.

    Parameters
    ----------
    about : dict
        The method's entry in the table.
    own : tuple of str
        Names of parameters to put in front.

    Raises
    ------
    ValueError
        If it is not known.
    """
    parameters = about["parameters"]
    if parameters is None:
        raise ValueError(f"the parameters of {about['name']} are not known")
    first = [inspect.Parameter(name, _KINDS["positional"]) for name in own]
    made = [
        inspect.Parameter(
            it["name"],
            _KINDS[it["kind"]],
            default=_or_empty(it["default"], Shown),
            annotation=_or_empty(it["annotation"], Annotation),
        )
        for it in parameters
    ]
    return inspect.Signature(
        first + made, return_annotation=_or_empty(about["returns"], Annotation)
    )


def _or_empty(text: str | None, kind: Any) -> Any:
    return inspect.Parameter.empty if text is None else kind(text)


def check(
    about: dict[str, Any], arguments: tuple[Any, ...], keywords: dict[str, Any], hint: str
) -> None:
    """Check that a method takes these arguments.

    Raises
    ------
    TypeError
        If it does not, with the name of the method and of the argument, and the hint.
    """
    try:
        signature(about).bind(*arguments, **keywords)
    except ValueError:
        return
    except TypeError as error:
        raise TypeError(f"{about['name']}{signature(about)}: {error}{hint}") from None
