"""The parts of an object, each with its path as a Python expression.

Only parts that a pickle may contain are yielded: of classes and modules, only the user's own.
"""

from __future__ import annotations

from collections import defaultdict, deque
from functools import partial
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)

from ._code.local import find, is_local, module_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    # The text before the path of the whole, the part, and the text after that path.
    Part = tuple[str, Any, str]

_KEY_CHARS = 40
_LEAVES = (type(None), bool, int, float, complex, str, bytes, CodeType)
_EMPTY: dict[str, str] = {}
_UNORDERED = (set, frozenset, type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items()))
_METHODS = (FunctionType, classmethod, property, staticmethod)
_DESCRIPTORS = (GetSetDescriptorType, MemberDescriptorType)


def parts(obj: Any) -> Iterator[Part]:
    """Yield the parts of an object that may be the reason why it cannot be pickled.

    Parameters
    ----------
    obj : object
        The whole.

    Yields
    ------
    tuple of str, object and str
        The text before the path of the whole, the part, and the text after that path.
    """
    for before, part, behind in _all_parts(obj):
        # Leaves can always be pickled, and are often shared.
        if not isinstance(part, _LEAVES) and not _is_elsewhere(part):
            yield before, part, behind


def _is_elsewhere(part: Any) -> bool:
    """Return whether a class or module is pickled by its name, without its contents."""
    if isinstance(part, ModuleType):
        return not is_local(part.__name__)
    return isinstance(part, type) and not is_local(part.__module__)


def _all_parts(obj: Any) -> Iterator[Part]:
    if isinstance(obj, type):
        yield from _of_class(obj)
    elif isinstance(obj, ModuleType):
        for name, value in list(vars(obj).items()):
            if not _is_dunder(name):
                yield "", value, f".{name}"
    elif isinstance(obj, FunctionType):
        yield from _of_function(obj)
        yield from _of_instance(obj)
    else:
        yield from _of_container(obj)
        yield from _of_wrapper(obj)
        yield from _of_instance(obj)
        yield "type(", type(obj), ")"


def _of_container(obj: Any) -> Iterator[Part]:
    if isinstance(obj, (dict, MappingProxyType)):
        items = dict.items(obj) if isinstance(obj, dict) else obj.items()
        for place, (key, value) in enumerate(list(items)):
            yield "list(", key, f")[{place}]"
            yield "", value, f"[{_key(key)}]"
        if isinstance(obj, defaultdict):
            yield "", obj.default_factory, ".default_factory"
    elif isinstance(obj, (list, tuple, deque)):
        for place, item in enumerate(list(obj)):
            yield "", item, f"[{place}]"
    elif isinstance(obj, _UNORDERED):
        for place, item in enumerate(list(obj)):
            yield "list(", item, f")[{place}]"
    elif _is_array(obj):
        yield from _of_array(obj)


def _is_array(obj: Any) -> bool:
    """Return whether an object is an array of NumPy that contains objects."""
    names = [(cls.__module__, cls.__name__) for cls in type(obj).__mro__]
    return ("numpy", "ndarray") in names and obj.dtype.hasobject


def _of_array(array: Any) -> Iterator[Part]:
    for index, item in enumerate(array.flat):
        path = f"[{index_of(index, array.shape)}]"
        fields = array.dtype.names
        if fields is None:
            yield "", item, path
        for name in fields or ():
            yield "", item[name], f'{path}["{name}"]'


def index_of(place: int, shape: Sequence[int]) -> str:
    """Return the index of an item in an array of several dimensions, by its place in memory."""
    found: list[int] = []
    for length in reversed(shape):
        place, index = divmod(place, length)
        found.insert(0, index)
    return ", ".join(map(str, found)) or "()"


def _of_wrapper(obj: Any) -> Iterator[Part]:
    """Yield the objects that a wrapper wraps."""
    if isinstance(obj, partial):
        yield "", obj.func, ".func"
        for place, item in enumerate(obj.args):
            yield "", item, f".args[{place}]"
        for name, value in obj.keywords.items():
            yield "", value, f'.keywords["{name}"]'
    elif isinstance(obj, BaseException):
        for place, item in enumerate(obj.args):
            yield "", item, f".args[{place}]"
        yield "", obj.__cause__, ".__cause__"
    elif isinstance(obj, property):
        for name in ("fget", "fset", "fdel"):
            yield "", getattr(obj, name), f".{name}"
    elif isinstance(obj, (MethodType, BuiltinFunctionType)):
        yield "", obj.__self__, ".__self__"
    if isinstance(obj, (MethodType, classmethod, staticmethod)):
        yield "", obj.__func__, ".__func__"
    # Set by functools.lru_cache and other wrappers that are not functions.
    yield "", _attribute(obj, "__wrapped__"), ".__wrapped__"


def _of_function(function: FunctionType) -> Iterator[Part]:
    holder = find(module_of(function) or "", function.__qualname__.rpartition(".")[0] or " ")
    if isinstance(holder, type):
        # A method is pickled with its class.
        yield "", holder, f".<class {holder.__qualname__}>"
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=False):
        yield "", _attribute(cell, "cell_contents"), f".{name}"
    for name in sorted(_globals(function.__code__)):
        yield "", function.__globals__.get(name), f'.__globals__["{name}"]'
    for place, value in enumerate(function.__defaults__ or ()):
        yield "", value, f".__defaults__[{place}]"
    for name, value in (function.__kwdefaults__ or {}).items():
        yield "", value, f'.__kwdefaults__["{name}"]'
    for name, value in _annotations(function).items():
        yield "", value, f'.__annotations__["{name}"]'


def _globals(code: CodeType) -> set[str]:
    """Return the names that a function and its inner functions may use of their module."""
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*map(_globals, inner))


def _annotations(obj: Any) -> dict[str, Any]:
    found = _attribute(obj, "__annotations__")
    return found if isinstance(found, dict) else {}


def _of_class(cls: type) -> Iterator[Part]:
    """Yield the attributes of a class, including inherited ones, under the path of the class."""
    seen = set()
    for base in cls.__mro__:
        if _is_elsewhere(base):
            continue
        for name, value in list(vars(base).items()):
            is_method = isinstance(value, _METHODS)
            is_own = is_method or not (_is_dunder(name) or isinstance(value, _DESCRIPTORS))
            if name not in seen and is_own:
                yield "", value, f".{name}"
            seen.add(name)
    for name, value in _annotations(cls).items():
        yield "", value, f'.__annotations__["{name}"]'
    yield "type(", type(cls), ")"


def _of_instance(obj: Any) -> Iterator[Part]:
    for name in _attributes(obj):
        yield "", _attribute(obj, name), f".{name}"


def _attributes(obj: Any) -> list[str]:
    """Return the names of an object's attributes, including slots."""
    names = []
    for cls in type(obj).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                hidden = name.startswith("__") and not name.endswith("__")
                names.append(f"_{cls.__name__.lstrip('_')}{name}" if hidden else name)
    own = _attribute(obj, "__dict__")
    return names + [name for name in list(own) if isinstance(name, str)] if own else names


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


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
