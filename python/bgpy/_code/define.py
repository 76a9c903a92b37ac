"""Reduces definitions for a pickle, to calls of the functions in `build`.

A definition that the receiver may lack is reduced to a call with its name, the digests of its
content, and everything that is needed to build it. Definitions refer to each other, so the contents
of each are its state, which a pickle sets after it has created the object.
"""

from __future__ import annotations

import sys
from operator import getitem
from types import FunctionType, MethodType, ModuleType

from . import build, holders, sentinels, shared, table
from .classes import class_parts, inner_functions, is_method, is_struct, member_parts, struct_parts
from .content import Content, is_by_value
from .hints import namespace, resolved
from .home import Home
from .instances import instances, without_new
from .kinds import HEAP_TYPE, is_function
from .local import (
    MAIN,
    canonical,
    find,
    is_local,
    is_named,
    library,
    module_of,
    name_in,
    name_of,
    script,
)
from .names import names
from .outlines import Outlines
from .pieces import PIECES, built_in, piece
from .source_lines import source_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from .build import Part
    from .table import Key

# What a module for definitions keeps of the module that they are from.
_ABOUT = ("__file__", "__package__", "__path__")
_MODULE_ONLY = {"__builtins__", "__cached__", "__loader__", "__name__", "__spec__"}
_TYPING = {"NewType", "TypeVar", "ParamSpec", "TypeVarTuple", "TypeAliasType"}
_FILL = build.fill_attributes
# The functions that a pickle calls are on both sides.
_BUILD = vars(build)


class _Methods:
    """Stands for the methods of a class, which it gets before its other attributes."""

    __slots__ = ("cls", "methods")

    def __init__(self, cls: type, methods: dict[str, Any]) -> None:
        self.cls = cls
        self.methods = methods


class _Member:
    """Stands for a member of an enumeration among the contents of its class."""

    __slots__ = ("member",)

    def __init__(self, member: Any) -> None:
        self.member = member


class Definitions:
    """Reduces the definitions of one message.

    Parameters
    ----------
    tasks : collection of str, optional
        The modules of the tasks, if the message is the tasks of a server.
    by_name : bool, default False
        Whether the receiver is assumed to be able to import the user's own modules.
    with_hints : bool, default False
        Whether to include the definitions that annotations name in text.
    is_bare : bool, default False
        Whether to send a method without its class.
    """

    def __init__(
        self,
        tasks: Collection[str] | None = None,
        by_name: bool = False,
        with_hints: bool = False,
        is_bare: bool = False,
    ) -> None:
        self._tasks = tasks
        self._by_name = by_name
        self._with_hints = with_hints
        self._is_bare = is_bare
        self._outlines = Outlines()
        self._content = Content(outlines=self._outlines)
        # An empty list in all keys of the message: the receiver keeps its own notes in it.
        self._message: list[Any] = []
        self._wholes: dict[str, bytes] = {}
        self._members: dict[int, _Member] = {}
        self._homes: dict[int, Home] = {}
        self._parts: dict[int, Part] = {}
        self._held: list[Any] = []
        # Instances among the attributes of their class, which is incomplete when they are built.
        self._own_instances: set[int] = set()
        # Whether something was reduced before it was known that its variables are assigned to: what
        # the receiver has of it from an earlier message must not stand for it.
        self.is_outdated = False
        self._new_cells: set[holders.Shared] = set()
        # Types whose objects are left to the pickler.
        self._foreign: set[int] = set()

    def has_changed(self) -> bool:
        """Return whether code was changed while it was pickled, so that it is a mixture."""
        return self._outlines.have_changed()

    def reduce(self, obj: Any) -> Any:
        """Return the reduction of an object; NotImplemented leaves it to the pickler."""
        kind = type(obj)
        if id(kind) in self._foreign:
            return NotImplemented
        own = _REDUCERS.get(kind)
        if own is not None:
            return own(self, obj)
        own = PIECES.get(kind)
        if own is not None:
            return own(obj)
        own = sentinels.reduce(obj)
        if own is not None:
            return own
        if issubclass(kind, type):
            return self._class(obj)
        if issubclass(kind, ModuleType):
            return build.module_named, (obj.__name__,)
        if isinstance(vars(kind).get("_member_map_"), dict) and is_by_value(kind):
            return build.member, (kind, *member_parts(obj)), vars(obj), None, None, _FILL
        if kind.__name__ == "_lru_cache_wrapper":
            return self._cached(obj)
        if kind.__module__ == "typing" and kind.__name__ in _TYPING:
            return NotImplemented if self._is_named_there(obj) else self._typing(obj, kind)
        reduced = piece(obj, kind)
        return self._object(obj, kind) if reduced is None else reduced

    def _key(self, obj: Any, single: str | None = None) -> Key:
        """Return the key of a definition, or of an object that its module has under a name."""
        known = table.keys.get(obj)
        if known is not None:
            module, name, digests, flags, main = known[:5]
            flags &= table.NAMED | table.ALIKE | table.CERTAIN | table.BOUND
            flags |= table.FORWARDED
            origins = table.origins(obj) or known[5]
        else:
            is_module = type(obj) is ModuleType
            module = canonical(obj.__name__) if is_module else module_of(obj) or ""
            name = single or ("" if is_module else name_in(module, obj))
            flags = table.NAMED if find(module, name) is obj else 0
            digests, has_state, is_certain, is_bound = self._content.digests(obj)
            flags |= 0 if has_state and is_function(obj) else table.ALIKE
            flags |= table.CERTAIN if is_certain else 0
            flags |= table.BOUND if is_bound else 0
            main = script() if module == MAIN else None
            origins = table.origin(obj)
        whole = None
        if self._tasks is not None:
            is_shipped = module in self._tasks
            flags |= table.SHIPPED if is_shipped else table.EXACT
            whole = None if is_shipped else self._whole(module)
        return module, name, digests, flags | table.VERSION, main, origins, whole, self._message

    def _whole(self, module: str) -> bytes | None:
        """Return the digest of a whole module, and the origin of this message."""
        known = self._wholes.get(module)
        if known is None and is_local(module):
            digests, _, is_certain, _ = self._content.digests(sys.modules[module])
            # If it cannot be inspected as a whole, it equals no other module.
            data = digests[table.DATA] if is_certain else bytes(len(digests[table.DATA]))
            known = self._wholes[module] = data + table.origin(self)
        return known

    def _is_named_there(self, obj: Any) -> bool:
        """Return whether a pickle need only contain the name of an object."""
        if not self._content.is_by_value(obj):
            return True
        module = module_of(obj)
        is_own = module is not None and module != MAIN and is_local(module)
        return self._by_name and is_own and table.keys.get(obj) is None and is_named(obj)

    def _home(self, namespace: dict[str, Any]) -> Home:
        home = self._homes.get(id(namespace))
        if home is None:
            home = self._homes[id(namespace)] = Home(namespace)
        return home

    def _make_home(self, home: Home) -> Any:
        installed = library(home.namespace)
        if installed is not None:
            return build.module_named, (installed,)
        name, module = home.name, home.module
        about = {it: home.namespace[it] for it in _ABOUT if it in home.namespace}
        path = about.get("__path__")
        if path is not None:
            about["__path__"] = list(path)
        origin = holders.origin(home.namespace) if module is None else table.origin(module)
        if self._tasks is None:
            return build.home, (name, about, origin)
        is_shipped = module is not None and name in self._tasks
        whole = None if is_shipped or module is None or name == MAIN else self._whole(name)
        return build.home_of_tasks, (name, about, is_shipped, origin, whole)

    def _module(self, module: ModuleType) -> Any:
        name = module.__name__
        if not is_by_value(module) or (self._by_name and table.keys.get(module) is None):
            return build.module_named, (name,)
        contents = {k: v for k, v in vars(module).items() if k not in _MODULE_ONLY}
        home = self._home(vars(module))
        return build.module, (self._key(module), home), contents, None, None, build.fill_module

    def _method(self, obj: Any) -> Any:
        """Reduce a part of a class to the class and a path; None if it has no class."""
        holder_of, path = table.parts.get(obj) or (None, ())
        cls = holder_of() if holder_of is not None else None
        if cls is not None and build.part(cls, path) is obj:
            return build.part, (cls, path)
        holder, _, last = (name_of(obj) or "").rpartition(".")
        if self._is_bare or not holder or not is_named(obj):
            return None
        cls = find(module_of(obj) or "", holder)
        return (getattr, (cls, last)) if isinstance(cls, type) and is_by_value(cls) else None

    def _bound(self, method: MethodType) -> Any:
        function, holder = method.__func__, method.__self__
        name = getattr(function, "__name__", "")
        is_part = id(function) in self._parts
        if isinstance(holder, type) and not is_part and getattr(holder, name, None) == method:
            return getattr, (holder, name)
        return MethodType, (function, holder)

    def _function(self, function: FunctionType) -> Any:
        if function.__globals__ is _BUILD:
            return NotImplemented
        if function.__closure__:
            self.is_outdated |= holders.hold_cells(function, self._new_cells)
        key: Any = self._parts.get(id(function))
        if key is None:
            if self._is_named_there(function):
                return NotImplemented
            method = self._method(function)
            if method is not None:
                return method
            key = self._key(function)
        home = self._home(function.__globals__)
        if home.module is None:
            holders.hold(function, home.namespace)
        code, cells = function.__code__, function.__closure__ or ()
        origins = tuple(map(holders.origin_of_cell, cells))
        made = (key, code, home, function.__name__, cells, origins, source_of(code))
        return build.function, made, self._contents(function), None, None, build.fill_function

    def _contents(self, function: FunctionType) -> tuple[Any, ...]:
        """Return the globals that a function uses, its attributes, and the modules it imported."""
        used: dict[str, Any] = {}
        known, namespace = names(function.__code__), function.__globals__
        if library(namespace) is None:
            for name in (*known.loaded, *sorted(known.stored)):
                if name in namespace:
                    used[name] = namespace[name]
        special = {
            "__qualname__": function.__qualname__,
            "__module__": module_of(function),
            "__doc__": function.__doc__,
        }
        # From Python 3.14 on, annotations are evaluated lazily, by a function.
        told = "__annotate__" if getattr(function, "__annotate__", None) else "__annotations__"
        for name in ("__defaults__", "__kwdefaults__", told, "__type_params__"):
            value = getattr(function, name, None)
            if value:
                special[name] = value
        attributes = vars(function)
        parts = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        parts += attributes.values()
        used.update(self._home(namespace).variables_with(parts))
        sentinels.note([*used.values(), *parts])
        modules = [value for value in used.values() if type(value) is ModuleType]
        for cell in function.__closure__ or ():
            modules += [it for it in shared.contents_of(cell) if type(it) is ModuleType]
        more = tuple(_submodules(modules, known.mentioned)) if modules else ()
        return used, special, attributes, more

    def _class(self, cls: Any) -> Any:
        if not cls.__flags__ & HEAP_TYPE:
            return built_in(cls)
        if self._is_named_there(cls):
            return NotImplemented
        generic = vars(cls).get("__pydantic_generic_metadata__")
        if generic and generic["origin"] is not None:
            # As in `typing`, each parametrisation of a generic class is a singleton.
            return getitem, (generic["origin"], generic["args"])
        key = self._key(cls)
        start, attributes, subclasses = class_parts(cls)
        start["__module__"] = key[0]
        annotations = attributes.get("__annotations__")
        for path, inner in inner_functions(cls, attributes):
            self._parts[id(inner)] = (cls, path)
            # Attributes that create a new object on each access: keep it alive, for its id.
            self._held.append(inner)
        make: Any = build.class_
        parts = start
        if is_struct(cls):
            make, parts = build.struct, struct_parts(cls, start, attributes)
        if type(annotations) is dict:
            hints = resolved(cls, annotations) if self._with_hints else annotations
            attributes["__annotations__"] = hints
            if self._with_hints and vars(cls).get("__pydantic_complete__") is False:
                attributes["__pydantic_parent_namespace__"] = namespace(cls, annotations)
        sentinels.note(attributes.values())
        self._own_instances.update(id(it) for it in instances(cls, attributes))
        made = (key, type(cls), cls.__name__, cls.__bases__, parts)
        if "_member_map_" in attributes:
            attributes = {name: self._own(value, cls) for name, value in attributes.items()}
        first = {k for k, v in attributes.items() if k.startswith("__") or is_method(v)}
        methods = {k: attributes.pop(k) for k in [*attributes] if k in first}
        contents = (_Methods(cls, methods), attributes, subclasses)
        return make, made, contents, None, None, build.fill_class

    def _own(self, value: Any, cls: type) -> Any:
        """Mark members among the contents of their class: only there they may be missing."""
        if type(value) is cls:
            return self._members.setdefault(id(value), _Member(value))
        if type(value) is dict:
            return {key: self._own(it, cls) for key, it in value.items()}
        return value

    def _cached(self, obj: Any) -> Any:
        """Reduce a function with a cache."""
        key: Any = self._parts.get(id(obj))
        if key is None:
            if self._is_named_there(obj):
                return NotImplemented
            method = self._method(obj)
            if method is not None:
                return method
            key = self._key(obj)
        options = obj.cache_parameters()
        # functools has copied the attributes of the wrapped function.
        held = getattr(obj.__wrapped__, "__dict__", {})
        attributes = {k: v for k, v in vars(obj).items() if held.get(k, obj) is not v}
        attributes.pop("cache_parameters", None)
        made = (key, obj.__wrapped__, options["maxsize"], options["typed"])
        return build.cached, made, attributes, None, None, _FILL

    def _typing(self, obj: Any, kind: type) -> Any:
        """Reduce a type variable or another name for a type."""
        key = self._key(obj)
        if kind.__name__ == "NewType":
            attributes = {k: v for k, v in vars(obj).items() if k != "__supertype__"}
            attributes["__module__"] = key[0]
            made: tuple[Any, ...] = (key, obj.__name__, obj.__supertype__)
            return build.new_type, made, attributes, None, None, _FILL
        if kind.__name__ == "TypeAliasType":
            made = (key, kind, obj.__name__, obj.__value__, obj.__type_params__)
            return build.alias, made
        options = {}
        for name in ("bound", "covariant", "contravariant", "infer_variance"):
            value = getattr(obj, f"__{name}__", None)
            if value:
                options[name] = value
        if getattr(obj, "has_default", bool)():
            options["default"] = obj.__default__
        constraints = getattr(obj, "__constraints__", ())
        return build.variable, (key, kind, obj.__name__, constraints, options)

    def _object(self, obj: Any, kind: type) -> Any:
        """Reduce an object of the user's class, which may be a singleton of its module."""
        from copyreg import dispatch_table

        module = module_of(obj)
        if module is None or kind in dispatch_table or not is_by_value(kind):
            self._foreign.add(id(kind))
            self._held.append(kind)
            return NotImplemented
        reduced = obj.__reduce_ex__(5)
        if type(reduced) is tuple:
            return without_new(kind, *reduced) if id(obj) in self._own_instances else reduced
        if type(reduced) is not str:
            return NotImplemented
        if find(module, reduced) is not obj and table.keys.get(obj) is None:
            return NotImplemented
        key = self._key(obj, reduced)
        attributes = _attributes(obj)
        return build.single, (key, kind), attributes, None, None, build.fill_single


def _methods(definitions: Definitions, obj: _Methods) -> Any:
    return build.fill_methods, (obj.cls, obj.methods)


def _member(_: Definitions, obj: _Member) -> Any:
    member = obj.member
    made = (type(member), *member_parts(member))
    return build.own_member, made, vars(member), None, None, _FILL


_REDUCERS: dict[type, Any] = {
    Home: Definitions._make_home,
    _Member: _member,
    _Methods: _methods,
    FunctionType: Definitions._function,
    MethodType: Definitions._bound,
    ModuleType: Definitions._module,
}


def _submodules(modules: list[ModuleType], mentioned: set[str]) -> list[ModuleType]:
    """Return submodules that code uses: `import a.b` binds only `a`."""
    found = []
    queue = [module.__name__ for module in modules]
    for package in queue:
        for name in mentioned:
            module = sys.modules.get(f"{package}.{name}")
            if isinstance(module, ModuleType):
                found.append(module)
                queue.append(f"{package}.{name}")
    return found


def _attributes(obj: Any) -> dict[str, Any]:
    from copyreg import _slotnames  # type: ignore[attr-defined]

    attributes = dict(getattr(obj, "__dict__", {}))
    for name in _slotnames(type(obj)):
        if hasattr(obj, name):
            attributes[name] = getattr(obj, name)
    return attributes
