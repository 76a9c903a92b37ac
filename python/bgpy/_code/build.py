"""Rebuilds definitions that have arrived: the functions that a pickle of `define` calls.

Definitions refer to each other, so each is rebuilt in two steps: first the object, which is new or
the one of this process that is meant, then its contents, which only a new object gets.
"""

from __future__ import annotations

import builtins
import sys
from _weakref import ref
from types import CodeType, FunctionType, ModuleType

from . import foreign_modules, received, shared, table, unfinished
from .classes import register
from .creation import created
from .kinds import is_definition
from .local import MAIN
from .names import names
from .resolve import choose, has_whole, note_new, stands
from .source_lines import with_source
from .task_modules import main_for, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CellType
    from typing import Any

    from .source_lines import Source
    from .table import Key

    # A part of a class: the class, and the attributes that lead to the part.
    Part = tuple[type, tuple[str, ...]]

_DEFAULTS = ("__defaults__", "__kwdefaults__")


def _find(key: Key | Part, kind: type) -> Any:
    """Return the object of this process that a definition means, or None."""
    if len(key) > 2:
        return choose(key, kind)
    if unfinished.is_unfinished(key[0]):
        return None
    found = part(*key)
    return found if isinstance(found, kind) else None


def part(cls: type, path: tuple[str, ...]) -> Any:
    """Return the part of a class that a path of attributes leads to, without binding it."""
    found: Any = vars(cls).get(path[0])
    for name in path[1:]:
        found = getattr(found, name, None)
    return found


def _is_of(cls: type, obj: Any) -> bool:
    """Return whether a part of a class was built for it, and not put there by this process."""
    holder, _ = table.parts.get(obj) or (None, ())
    return holder is not None and holder() is cls


def _begin(key: Key | Part, obj: Any, other: Any = None) -> Any:
    """Note a new object, unless another thread was faster; `other` is one that is not meant."""
    if len(key) == 2:
        cls, path = key
        table.parts.set(obj, (ref(cls), path))
        return unfinished.begin_part(obj)
    _check_version(key)
    note_new(key, obj)
    return table.begin(key, obj, lambda it, key: it is not other and stands(it, key))


def _check_version(key: Key) -> None:
    """Refuse to build a definition from another version of Python."""
    if table.is_foreign(key):
        ours = "{}.{}".format(*sys.version_info)
        theirs = f"{sys.version_info.major}.{key[3] >> 8}"
        raise RuntimeError(
            f"the message contains code for Python {theirs}, which Python {ours} cannot run: use "
            "the same version on both sides, or install the module that defines the code on both "
            "(for tasks: start the server from a file of tasks)"
        )


def module_named(name: str) -> ModuleType:
    """Return a module that this process can import."""
    __import__(name)
    return sys.modules[name]


def home(name: str, about: dict[str, Any], origin: bytes) -> ModuleType:
    """Return the module for definitions of a module of another process, or a new one."""
    known = foreign_modules.find(origin)
    return home_of_tasks(name, about, False, origin) if known is None else known


def home_of_tasks(
    name: str, about: dict[str, Any], is_shipped: bool, origin: bytes, whole: bytes | None = None
) -> ModuleType:
    """Make a module for definitions of a module of another process."""
    module = (is_shipped and name == MAIN and main_for(about)) or ModuleType(name)
    vars(module).update(about)
    vars(module).setdefault("__builtins__", builtins)
    if name != MAIN and (is_shipped or (whole is not None and not has_whole(name, whole))):
        place(name, module)
    foreign_modules.note(origin, module)
    return module


def module(key: Key, place: ModuleType) -> Any:
    """Return the module that is meant."""
    return choose(key, ModuleType) or _begin(key, place)


def fill_module(place: ModuleType, contents: dict[str, Any]) -> None:
    """Fill a new module."""
    if unfinished.is_unfinished(place):
        for name, value in contents.items():
            vars(place).setdefault(name, value)
        unfinished.finish(place)


def code(version: tuple[int, int], *parts: Any) -> CodeType | None:
    """Make a code object, or return None if it is for another version of Python."""
    return CodeType(*parts) if version == sys.version_info[:2] else None


def cell(origin: bytes) -> CellType:
    """Return the cell of a closure that is meant, or an empty one."""
    return shared.cell(origin)


def function(
    key: Key | Part,
    body: CodeType | None,
    place: ModuleType,
    name: str,
    cells: tuple[CellType, ...],
    origins: tuple[bytes, ...],
    source: Source | None,
) -> Any:
    """Return the function that is meant, or a new one."""
    found = _find(key, FunctionType)
    if found is not None and not unfinished.is_new(found):
        if len(key) == 2:
            if _is_of(key[0], found):
                table.begin_refresh(key[0], found)
            return found
        if not cells or shared.suits(found, cells, origins):
            return found
        table.leave(key[5], found)
        found = None
    settled = shared.settled(cells, origins)
    # If another message builds it, or has failed to, it does not fill the cells of this one.
    if found is not None and unfinished.has_cells(found, settled):
        return found
    if body is None:
        # Code for another version of Python: a method that the class of this process lacks is left
        # out, and a function is refused.
        return None if len(key) == 2 else _check_version(key)
    body = with_source(body, source)
    made = _begin(key, FunctionType(body, vars(place), name, None, settled or None))
    holder = key[0] if len(key) == 2 else made
    about = table.keys.get(holder)
    is_task = about is not None and bool(about[3] & (table.SHIPPED | table.EXACT))
    is_kept = is_task or len(key) == 2
    if is_kept:
        foreign_modules.hold(holder, place, is_task)
    if settled:
        shared.hold_cells(made, origins, is_kept, is_task)
    return made


def fill_attributes(place: Any, attributes: dict[str, Any]) -> None:
    """Give an object its attributes."""
    if unfinished.is_unfinished(place) or unfinished.is_renewed(type(place)):
        vars(place).update(attributes)
        unfinished.finish(place)


def fill_function(
    place: FunctionType,
    contents: tuple[dict[str, Any], dict[str, Any], dict[str, Any], tuple[ModuleType, ...]],
) -> None:
    """Fill a new function: the globals that it uses, and its attributes."""
    used, special, attributes, _ = contents
    if not unfinished.is_unfinished(place):
        if table.end_refresh(place):
            # Its code and the definitions that it uses are unchanged: only data is updated.
            data = {name: value for name, value in used.items() if not is_definition(value)}
            kept = foreign_modules.fill(
                place.__globals__, data, names(place.__code__).loaded.keys() - used.keys()
            )
            for name in _DEFAULTS:
                setattr(place, name, _with_kept(special.get(name), kept))
        return
    kept = foreign_modules.fill(place.__globals__, used, names(place.__code__).loaded)
    for name, value in special.items():
        setattr(place, name, _with_kept(value, kept) if name in _DEFAULTS else value)
    vars(place).update(_with_kept(attributes, kept))
    unfinished.finish(place)


def _with_kept(values: Any, kept: dict[int, Any]) -> Any:
    """Return defaults or attributes with the values that variables have kept in their places."""
    if not values or not kept:
        return values
    if type(values) is tuple:
        return tuple(kept.get(id(it), it) for it in values)
    return {name: kept.get(id(it), it) for name, it in values.items()}


def class_(key: Key, meta: Any, name: str, bases: tuple[type, ...], start: dict[str, Any]) -> Any:
    """Return the class that is meant, or a new one without most of its attributes."""
    found, other = choose(key, type), None
    if found is not None and _has_others(found, key, meta, bases):
        table.leave(key[5], found)
        other, found = found, None
    if found is None:
        made = _begin(key, created(meta, name, bases, start), other)
        received.begin(made)
        received.give(made, start, has=start)
        return made
    if unfinished.is_unfinished(found):
        if unfinished.is_renewed(found):
            _remake(found, meta, bases)
        received.begin(found)
        received.give(found, start, has=("__slots__", "__orig_bases__"))
    return found


def _has_others(cls: type, key: Key, meta: Any, bases: tuple[type, ...]) -> bool:
    """Return whether a class has bases or a metaclass of another sender than this definition's."""
    if table.keys.get(cls) is None or key[3] & table.FORWARDED or unfinished.is_unfinished(cls):
        return False
    differing = [base for base in cls.__bases__ if base not in bases]
    differing += [] if type(cls) is meta else [type(cls)]
    # Bases that were not built from a message do not count: they may stand in for the sender's.
    return any(table.keys.get(it) is not None for it in differing)


def _remake(cls: type, meta: Any, bases: tuple[type, ...]) -> None:
    # If the new ones have another object layout, the class keeps the old ones.
    if type(cls) is not meta:
        _try_to_set(cls, "__class__", meta)
    if cls.__bases__ != bases:
        _try_to_set(cls, "__bases__", bases)


def _try_to_set(cls: type, name: str, value: Any) -> None:
    try:  # noqa: SIM105 (importing contextlib takes a while)
        type.__setattr__(cls, name, value)
    except TypeError:
        pass


def struct(key: Key, meta: Any, name: str, bases: tuple[type, ...], parts: dict[str, Any]) -> Any:
    """Return the class of msgspec that is meant, or a new one: its fields cannot be added later."""
    found = choose(key, type)
    if found is not None:
        if unfinished.is_unfinished(found):
            received.begin(found)
        return found
    import msgspec

    start, options = parts["start"], parts["options"]
    if parts["has_post_init"]:
        start["__post_init__"] = _post_init
    for field, (is_made, default) in parts["defaults"].items():
        start[field] = msgspec.field(default_factory=default) if is_made else default
    made = _begin(key, meta(name, bases, start, **options))
    received.begin(made)
    return made


def _post_init(new: Any) -> None:
    """Call the `__post_init__` that the class got after msgspec had looked for one."""
    type(new).__post_init__(new)


def fill_methods(place: Any, methods: dict[str, Any]) -> None:
    """Give a new class its methods, before its other attributes, which may be instances of it."""
    if unfinished.is_unfinished(place):
        received.give(place, methods)
        shared.keep(place, methods.values())
    else:
        received.skip(place)


def fill_class(place: Any, contents: tuple[None, dict[str, Any], list[type]]) -> None:
    """Give a new class its other attributes, without calling its metaclass."""
    if not unfinished.is_unfinished(place):
        received.skip(place)
        return
    _, attributes, subclasses = contents
    is_enum = unfinished.is_renewed(place) and "_member_map_" in vars(place)
    received.give(place, attributes, _of_members(place, attributes) if is_enum else ())
    received.end(place)
    shared.keep(place, attributes.values())
    register(place, subclasses)
    unfinished.finish(place)


def abandon() -> None:
    """Forget what this thread has not finished, as its message has failed."""
    for cls in table.abandon():
        received.skip(cls)


def _of_members(cls: Any, attributes: dict[str, Any]) -> set[str]:
    """Return the attributes of an enumeration that are members, or that list them."""
    return {it for it in attributes if it in cls._member_map_ or it[:1] == it[-1:] == "_"}


def member(cls: Any, name: str | None, value: Any, base: type, arguments: tuple[Any, ...]) -> Any:
    """Return a member of an enumeration."""
    if unfinished.is_new(cls):
        return _begin_member(cls, name, value, base, arguments)
    # By value, which works even if one side has more members; then by name, in case a value has
    # changed.
    try:
        return cls(value) if name is None or value is not None else cls[name]
    except (KeyError, ValueError):
        if name in cls.__members__:
            return cls[name]
        raise ValueError(
            f"{cls.__module__}.{cls.__qualname__} has no member {name or value!r} here: use the "
            "same version of the module on both sides, and restart the server after a change"
        ) from None


def own_member(
    cls: Any, name: str | None, value: Any, base: type, arguments: tuple[Any, ...]
) -> Any:
    """Return a member among the contents of its own class; None if the class lacks it."""
    if unfinished.is_new(cls):
        return _begin_member(cls, name, value, base, arguments)
    return cls._member_map_.get(name)


def _begin_member(
    cls: Any, name: str | None, value: Any, base: type, arguments: tuple[Any, ...]
) -> Any:
    known: dict[Any, Any] = table.members.first(cls, {})
    if (name, value) not in known:
        made = base.__new__(cls, *arguments)
        begin: Any = getattr(base, "__init__")  # noqa: B009
        if arguments and begin is not object.__init__:
            begin(made, *arguments)
        unfinished.begin_part(made)
        if known.setdefault((name, value), made) is not made:
            # Another thread was faster.
            unfinished.finish(made)
    return known[name, value]


def cached(key: Key | Part, body: Any, maxsize: int | None, typed: bool) -> Any:
    """Return the function with a cache that is meant, or a new one."""
    import functools

    found = _find(key, functools._lru_cache_wrapper)
    if found is not None and body is not None and found.__wrapped__ is not body:
        if unfinished.is_new(found):
            found = None
        elif len(key) > 2 and not shared.keeps_cells(found):
            # Its function has other variables in this message.
            table.leave(key[5], found)
            found = None
    if body is None or found is not None:
        return found
    make: Callable[..., Any] = functools.lru_cache(maxsize, typed)
    return _begin(key, make(body))


def locked(cls: Any) -> Any:
    """Make a `functools.cached_property` with a new lock, which it has before Python 3.12."""
    import threading

    made = cls.__new__(cls)
    made.lock = threading.RLock()
    return made


def new_type(key: Key, name: str, supertype: Any) -> Any:
    """Return the `typing.NewType` that is meant, or a new one."""
    import typing

    make: Any = typing.NewType
    new = make(name, supertype)
    found = choose(key, type(new))
    return _begin(key, _of(key, new)) if found is None else found


def variable(
    key: Key, kind: Any, name: str, constraints: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Return the type variable that is meant, or a new one."""
    found = choose(key, kind)
    if found is not None:
        return found
    return _complete(_begin(key, _of(key, kind(name, *constraints, **options))))


def _of(key: Key, obj: Any) -> Any:
    obj.__module__ = key[0]
    return obj


def _complete(obj: Any) -> Any:
    """Note that an object gets no contents later."""
    unfinished.finish(obj)
    return obj


def alias(key: Key, kind: Any, name: str, value: Any, parameters: tuple[Any, ...]) -> Any:
    """Return the type alias that is meant, or a new one."""
    found = choose(key, kind)
    if found is not None:
        return found
    return _complete(_begin(key, kind(name, value, type_params=parameters)))


def single(key: Key, cls: Any) -> Any:
    """Return the singleton of a module that is meant, or a new object."""
    found = choose(key, cls)
    return _begin(key, object.__new__(cls)) if found is None else found


def fill_single(place: Any, attributes: dict[str, Any]) -> None:
    """Fill a new singleton."""
    if unfinished.is_unfinished(place):
        for name, value in attributes.items():
            object.__setattr__(place, name, value)
        unfinished.finish(place)
