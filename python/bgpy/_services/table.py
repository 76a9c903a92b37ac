"""The list of what clients may use of an object: its methods and properties, with signatures."""

from __future__ import annotations

import sys
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
)

from .method import options_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# What an expression such as len(proxy) or proxy[key] calls.
SPECIAL = (
    "__bool__",
    "__call__",
    "__contains__",
    "__delitem__",
    "__getitem__",
    "__iter__",
    "__len__",
    "__next__",
    "__reversed__",
    "__setitem__",
)
# A method whose result is annotated as one of these yields values.
_STREAMS = ("AsyncGenerator", "AsyncIterator", "Generator", "Iterator")
_DEFAULT_CHARS = 200

# inspect.CO_VARARGS and the like.
_REST, _KEYWORDS, _GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x04, 0x08, 0x20, 0x80, 0x200


def table(cls: type) -> dict[str, Any]:
    """Return what clients may use of the objects of a class.

    Parameters
    ----------
    cls : type
        The class. None of its code runs, except that of unusual annotations and defaults.

    Returns
    -------
    dict
        The table of methods, as PROTOCOL.md describes it.
    """
    return {
        "class": cls.__qualname__,
        "module": cls.__module__,
        "doc": _doc(cls),
        "methods": [about for name in _names(cls) if (about := _about(cls, name)) is not None],
    }


def _names(cls: type) -> Iterator[str]:
    """Yield the names that may be called, in the order of their definition, inherited ones last."""
    seen = set()
    for base in cls.__mro__[:-1]:
        for name in vars(base):
            if name not in seen and (not name.startswith("_") or name in SPECIAL):
                seen.add(name)
                yield name


def _attribute(cls: type, name: str) -> Any:
    """Return an attribute of a class, without running a descriptor."""
    return next(vars(base)[name] for base in cls.__mro__ if name in vars(base))


def _about(cls: type, name: str) -> dict[str, Any] | None:
    attribute = _attribute(cls, name)
    own = 1
    if isinstance(attribute, (staticmethod, classmethod)):
        own = int(isinstance(attribute, classmethod))
        attribute = attribute.__func__
    if _is_property(attribute):
        getter = getattr(attribute, "fget", None) or getattr(attribute, "func", None)
        return {
            "name": name,
            "kind": "property",
            "runs": "read" if options_of(getter)[0] else "exclusive",
            "cancel": options_of(getter)[1],
            "parameters": [],
            "returns": annotations(getter).get("return"),
            "doc": _doc(attribute),
        }
    if isinstance(attribute, type) or not callable(attribute):
        return None
    hints = annotations(attribute)
    returns = hints.pop("return", None)
    flags = _flags(attribute)
    is_stream = flags & (_GENERATOR | _ASYNC_GENERATOR) != 0 or _is_iterator(returns)
    is_read, can_cancel = options_of(attribute)
    runs = "read" if is_read else "exclusive"
    return {
        "name": name,
        "kind": "stream" if is_stream or name == "__iter__" else "call",
        "runs": "async" if flags & (_COROUTINE | _ASYNC_GENERATOR) else runs,
        "cancel": can_cancel,
        "parameters": _parameters(attribute, own, hints),
        "returns": returns,
        "doc": _doc(attribute),
    }


def _is_property(attribute: Any) -> bool:
    kind = type(attribute)
    if isinstance(attribute, property) or kind.__name__ == "cached_property":
        return True
    # Another descriptor, but none that stands for a plain attribute.
    plain = (MemberDescriptorType, GetSetDescriptorType)
    return hasattr(kind, "__get__") and not callable(attribute) and kind not in plain


def _flags(function: Any) -> int:
    """Return the flags of the code that runs when something is called."""
    while type(function).__name__ in ("partial", "partialmethod"):
        function = function.func
    if not isinstance(function, (FunctionType, MethodType)):
        function = getattr(type(function), "__call__", None)
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    return int(flags)


def _is_iterator(annotation: str | None) -> bool:
    if annotation is None:
        return False
    name = annotation.strip("'\"").partition("[")[0].rpartition(".")[2].strip()
    return name in _STREAMS


def _parameters(function: Any, own: int, hints: dict[str, str]) -> list[dict[str, Any]] | None:
    """Return the parameters behind the first `own` ones, which the object fills."""
    is_plain = type(function) is FunctionType and not hasattr(function, "__wrapped__")
    if is_plain and not hasattr(function, "__signature__"):
        return _of_code(function, own, hints)
    import inspect

    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return None
    # A partialmethod has no first parameter of its own, and neither has what is bound already.
    if own and type(function).__name__ not in ("partialmethod", "method"):
        own = not isinstance(function, BuiltinFunctionType) or function.__self__ is None
    names = ("positional", "any", "rest", "keyword", "keywords")
    return [
        {
            "name": it.name,
            "kind": names[it.kind],
            "default": None if it.default is it.empty else _default(it.default),
            "annotation": None if it.annotation is it.empty else annotation_text(it.annotation),
        }
        for it in parameters[int(own) :]
    ]


def _of_code(function: FunctionType, own: int, hints: dict[str, str]) -> list[dict[str, Any]]:
    """Return the parameters of a plain function, without the cost of importing inspect."""
    code = function.__code__
    names = list(code.co_varnames)
    defaults = function.__defaults__ or ()
    by_name = function.__kwdefaults__ or {}
    found = []

    def add(name: str, kind: str, default: str | None = None) -> None:
        annotation = hints.get(name)
        found.append({"name": name, "kind": kind, "default": default, "annotation": annotation})

    first = code.co_argcount - len(defaults)
    for index, name in enumerate(names[: code.co_argcount]):
        kind = "positional" if index < code.co_posonlyargcount else "any"
        add(name, kind, None if index < first else _default(defaults[index - first]))
    end = code.co_argcount + code.co_kwonlyargcount
    if code.co_flags & _REST:
        add(names[end], "rest")
    for name in names[code.co_argcount : end]:
        add(name, "keyword", _default(by_name[name]) if name in by_name else None)
    if code.co_flags & _KEYWORDS:
        add(names[end + bool(code.co_flags & _REST)], "keywords")
    # A method such as `def run(*args)` takes its object with the rest.
    return found if own and found and found[0]["kind"] == "rest" else found[own:]


def annotations(function: Any) -> dict[str, str]:
    """Return the annotations of a function as texts, as far as they can be had."""
    try:
        if sys.version_info >= (3, 14) and getattr(function, "__annotate__", None) is not None:
            import annotationlib

            found = annotationlib.get_annotations(function, format=annotationlib.Format.STRING)
        else:
            found = getattr(function, "__annotations__", None) or {}
        return {name: annotation_text(hint) for name, hint in found.items()}
    except Exception:
        # They are code, which may fail.
        return {}


def annotation_text(annotation: Any) -> str:
    """Return an annotation as its author may have written it."""
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, type) and type(annotation).__name__ != "GenericAlias":
        module = annotation.__module__
        return (
            annotation.__qualname__
            if module in ("builtins", "__main__")
            else f"{module}.{annotation.__qualname__}"
        )
    return repr(annotation).replace("typing.", "")


def _default(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        return "..."
    return text if len(text) <= _DEFAULT_CHARS else "..."


def _doc(of: Any) -> str | None:
    doc = getattr(of, "__doc__", None)
    return doc if isinstance(doc, str) else None
