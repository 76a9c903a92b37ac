"""JSON for what JSON itself has no form for, where the form is obvious.

docs/commands/call.md lists the forms. Libraries are recognized by what their objects have, so that
none has to be imported.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from uuid import UUID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_KEYS = {True: "true", False: "false", None: "null"}


class NoForm(ValueError):
    """A part of an object has no form in JSON."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} has no form in JSON: {why}")


def dumps(obj: Any) -> str:
    """Return an object as JSON.

    Parameters
    ----------
    obj : object
        The object.

    Returns
    -------
    str
        JSON on one line; numbers that JSON lacks (nan, inf) are null.

    Raises
    ------
    NoForm
        If a part of the object has no form in JSON. The message names the part.
    """
    try:
        tree = _tree(obj, "response")
    except RecursionError:
        raise NoForm("response", "it contains itself, or is nested too deeply") from None
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    finally:
        sys.set_int_max_str_digits(digits)


def _tree(obj: Any, path: str) -> Any:
    """Return the object in terms of what `json` writes."""
    if obj is None or obj is True or obj is False:
        return obj
    if isinstance(obj, Enum) or type(obj).__name__ == "UnknownMember":
        return _tree(obj.value, path)
    text = _text(obj, path)
    if text is not None:
        return text
    if isinstance(obj, int):
        return int(obj)
    if isinstance(obj, float):
        return float(obj) if isfinite(obj) else None
    if isinstance(obj, Decimal):
        return None
    inside = _fields(obj)
    if inside is None and isinstance(obj, Mapping):
        inside = obj
    if inside is not None:
        return _object(inside, path)
    if isinstance(obj, (Sequence, Set)) and not isinstance(obj, (bytes, bytearray, memoryview)):
        return _array(_ordered(obj), path)
    return _tree(_reduced(obj, path), path)


def _text(obj: Any, path: str) -> str | None:
    """Return the text of an object whose form is a text; None for any other."""
    if isinstance(obj, str):
        text = str(obj)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise NoForm(path, "it is text with bytes that are not valid Unicode") from None
        return text
    if isinstance(obj, Decimal) and obj.is_finite():
        return str(obj)
    if isinstance(obj, (UUID, PurePath)) or type(obj).__module__ in ("ipaddress", "zoneinfo"):
        return str(obj)
    kinds = sys.modules.get("datetime")
    if kinds is not None:
        if isinstance(obj, (kinds.date, kinds.time)):
            return str(obj.isoformat())
        if isinstance(obj, kinds.timezone):
            return str(obj)
    if type(obj).__name__ == "datetime64":
        # From NumPy: ISO 8601 as well.
        return str(obj)
    return None


def _fields(obj: Any) -> Mapping[Any, Any] | None:
    """Return the fields of an object that consists of named fields; None for any other."""
    kind = type(obj)
    if isinstance(obj, type):
        return None
    for names in ("__dataclass_fields__", "__struct_fields__", "_fields"):
        fields = getattr(kind, names, None) or (names == "_fields" and getattr(obj, names, None))
        if fields and (names != "_fields" or isinstance(obj, Sequence)):
            if names == "_fields":
                return dict(zip(fields, obj, strict=True))
            return {name: getattr(obj, name) for name in fields if hasattr(obj, name)}
    attrs = getattr(kind, "__attrs_attrs__", None)
    if attrs is not None:
        return {field.name: getattr(obj, field.name) for field in attrs}
    model = getattr(kind, "__pydantic_fields__", None)
    if model is not None:
        return {name: getattr(obj, name) for name in model}
    return vars(obj) if kind.__name__ == "SimpleNamespace" else None


def _reduced(obj: Any, path: str) -> Any:
    """Return a simpler object of the same form."""
    kinds = sys.modules.get("datetime")
    if kinds is not None and isinstance(obj, kinds.timedelta):
        return obj.total_seconds()
    if type(obj).__name__ == "DataFrame":
        # Of pandas, or of Polars.
        return obj.to_dicts() if hasattr(obj, "to_dicts") else obj.to_dict(orient="records")
    # Scalars and arrays of NumPy, tensors of PyTorch, columns of pandas.
    for name in ("tolist", "to_list"):
        make = getattr(obj, name, None)
        if callable(make) and not isinstance(obj, (type, memoryview)):
            made = make()
            if type(made) is not type(obj):
                return made
    raise NoForm(path, _named(obj))


def _named(obj: Any) -> str:
    kind = type(obj)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"it is an object of the class {module}{kind.__qualname__}"


def _object(obj: Mapping[Any, Any], path: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in obj.items():
        name = _key(key, path)
        if name in made:
            raise NoForm(path, f"two of its keys would be {name!r}")
        made[name] = _tree(value, f"{path}[{name!r}]")
    return made


def _key(key: Any, path: str) -> str:
    plain = _tree(key, f"a key of {path}")
    if isinstance(plain, str):
        return plain
    if isinstance(plain, (dict, list)):
        raise NoForm(f"a key of {path}", _named(key))
    return _KEYS[plain] if plain is None or isinstance(plain, bool) else json.dumps(plain)


def _array(items: Iterable[Any], path: str) -> list[Any]:
    return [_tree(item, f"{path}[{place}]") for place, item in enumerate(items)]


def _ordered(obj: Any) -> Iterable[Any]:
    """Return the items, those of a set in an order that does not change from run to run."""
    if not isinstance(obj, Set):
        return obj  # type: ignore[no-any-return]
    try:
        return sorted(obj)
    except TypeError:
        return sorted(obj, key=repr)
