"""JSON for what JSON itself has no form for, where the form is obvious.

docs/commands/call.md lists the forms. Libraries are recognized by what their objects have, so that
none has to be imported.
"""

from __future__ import annotations

import json
import sys
from collections import UserString
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from types import SimpleNamespace
from uuid import UUID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_KEYS = {True: "true", False: "false", None: "null"}
# A range of any length is small, but not its array.
_RANGE_MAX = 10_000_000


class NoForm(ValueError):
    """A part of an object has no form in JSON."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} has no form in JSON: {why}")


def text(obj: Any, as_json: bool) -> str:
    """Return an object as text, on one line if it is JSON.

    Parameters
    ----------
    obj : object
        The object.
    as_json : bool
        Whether to return JSON, with null for the numbers that JSON lacks (nan, inf), or the repr.

    Returns
    -------
    str
        The text.

    Raises
    ------
    NoForm
        If a part of the object has no form in JSON. The message names the part.
    ValueError
        If code of the object raises.
    """
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        if not as_json:
            return repr(obj)
        tree = _tree(obj, "response")
        return json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except NoForm:
        raise
    except RecursionError:
        raise NoForm("response", "it contains itself, or is nested too deeply") from None
    except Exception as error:
        name = type(error).__name__
        raise ValueError(f"the answer cannot be shown: {name}: {error}") from error
    finally:
        sys.set_int_max_str_digits(digits)


def _tree(obj: Any, path: str) -> Any:
    """Return the object in terms of what `json` writes."""
    if obj is None or obj is True or obj is False:
        return obj
    if isinstance(obj, Enum) or _is_from(obj, "builtins", "UnknownMember"):
        return _tree(obj.value, path)
    plain = _text(obj)
    if plain is not None:
        try:
            plain.encode()
        except UnicodeEncodeError:
            raise NoForm(path, "it is text with bytes that are not valid Unicode") from None
        return plain
    if isinstance(obj, int):
        return int.__int__(obj)
    if isinstance(obj, float):
        return float.__float__(obj) if isfinite(obj) else None
    if isinstance(obj, Decimal):
        return None
    fields = _fields(obj)
    if isinstance(obj, Mapping):
        if fields is not None:
            raise NoForm(path, "it has items and fields")
        return _object(obj, path)
    if fields is not None:
        return _object(fields, path)
    if isinstance(obj, (Sequence, Set)) and not isinstance(obj, (bytes, bytearray, memoryview)):
        return _array(obj, path)
    return _tree(_reduced(obj, path), path)


def _is_from(obj: Any, package: str, name: str) -> bool:
    """Return whether an object is an instance of a class of some package, without importing it."""
    kind = type(obj)
    return kind.__name__ == name and kind.__module__.partition(".")[0] == package


def _text(obj: Any) -> str | None:
    """Return the text of an object whose form is a text; None for any other."""
    if isinstance(obj, str):
        return str.__str__(obj)
    if isinstance(obj, UserString):
        return str(obj.data)
    if isinstance(obj, Decimal):
        return str(obj) if obj.is_finite() else None
    if isinstance(obj, (UUID, PurePath)) or type(obj).__module__ in ("ipaddress", "zoneinfo"):
        return str(obj)
    kinds = sys.modules.get("datetime")
    if kinds is not None:
        # The time of pandas that is none differs from itself.
        if isinstance(obj, (kinds.date, kinds.time)) and obj == obj:
            return str(obj.isoformat())
        if isinstance(obj, kinds.timezone):
            return str(obj)
    return None


def _fields(obj: Any) -> Any:
    """Return the fields of an object that consists of named fields; None for any other."""
    kind = type(obj)
    for attribute in ("__dataclass_fields__", "__struct_fields__"):
        names = getattr(kind, attribute, None)
        if names is not None:
            return {name: getattr(obj, name) for name in names if hasattr(obj, name)}
    attrs = getattr(kind, "__attrs_attrs__", None)
    if attrs is not None:
        return {field.name: getattr(obj, field.name) for field in attrs}
    if getattr(kind, "__pydantic_fields__", None) is not None:
        return vars(obj) | (obj.__pydantic_extra__ or {})
    row: Any = obj
    if isinstance(obj, Sequence) and (hasattr(kind, "_fields") or hasattr(kind, "_mapping")):
        # A named tuple, or a row of SQLAlchemy.
        return dict(zip(row._fields, row, strict=True))
    return vars(obj) if isinstance(obj, SimpleNamespace) else None


def _reduced(obj: Any, path: str) -> Any:
    """Return a simpler object of the same form."""
    kind = type(obj)
    if isinstance(obj, type):
        raise NoForm(path, _named(obj))
    kinds = sys.modules.get("datetime")
    if kinds is not None and isinstance(obj, (kinds.date, kinds.timedelta)):
        # A date that is no time is that of pandas.
        return obj.total_seconds() if isinstance(obj, kinds.timedelta) else None
    if _is_from(obj, "pandas", "DataFrame"):
        return obj.to_dict(orient="records")
    if _is_from(obj, "polars", "DataFrame"):
        return obj.to_dicts()
    if kind.__module__.partition(".")[0] == "numpy" and hasattr(obj, "dtype"):
        if obj.dtype.kind == "M":
            return _with_nulls(obj.astype(str).tolist())
        if obj.dtype.kind == "m":
            numpy = sys.modules["numpy"]
            # Months and years have no length.
            return (obj / numpy.timedelta64(1, "s")).tolist()
    # Scalars and arrays of NumPy, tensors of PyTorch, columns of pandas and Polars.
    for name in ("tolist", "to_list"):
        make = getattr(kind, name, None)
        if callable(make):
            made = make(obj)
            if type(made) is not kind:
                return made
    raise NoForm(path, _named(obj))


def _with_nulls(times: Any) -> Any:
    if isinstance(times, list):
        return [_with_nulls(it) for it in times]
    return None if times == "NaT" else str(times)


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
    if isinstance(items, range) and len(items) > _RANGE_MAX:
        raise NoForm(path, f"it has {len(items)} items")
    made = [_tree(item, f"{path}[{place}]") for place, item in enumerate(items)]
    if isinstance(items, Set):
        # In an order that does not change from run to run.
        try:
            made.sort()
        except TypeError:
            made.sort(key=json.dumps)
    return made
