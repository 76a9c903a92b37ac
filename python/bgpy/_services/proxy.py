"""Proxies: local objects whose methods run in a server."""

from __future__ import annotations

from contextvars import ContextVar

from .._bgpy import Client, RemoteMethod
from .table import SPECIAL, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Docstring:
    """The docstring of a class, and another one of each of its objects."""

    def __init__(self, of_class: str | None) -> None:
        self._of_class = of_class

    def __get__(self, instance: RemoteMethod | None, owner: type) -> str | None:
        return self._of_class if instance is None else instance._doc


# What a property has raised, just before Python asks `__getattr__`.
_raised: ContextVar[tuple[Proxy, str, AttributeError] | None] = ContextVar(
    "bgpy_raised", default=None
)

# The class of an extension module cannot do that by itself.
RemoteMethod.__doc__ = _Docstring(RemoteMethod.__doc__)  # type: ignore[assignment]


class Proxy:
    """The base class of all proxies. It has only special names, so that no method is hidden."""

    __bgpy_client__: Client
    __bgpy_class__: type | None

    def __setattr__(self, name: str, value: object) -> None:
        kind = type(self).__name__
        text = (
            f"{name!r} cannot be set: the attributes of {kind} are on the server, and only its own "
            "methods change them"
        )
        raise AttributeError(text, name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __getattr__(self, name: str) -> Any:
        found = _raised.get()
        if found is not None:
            _raised.set(None)
            # A getter that was called by itself has left its error, too.
            if found[0] is self and found[1] == name:
                raise found[2]
        if name.startswith("__"):
            # Others ask for them without need, also before there is a client.
            raise AttributeError(name, name=name, obj=self)
        kind, target = type(self).__name__, self.__bgpy_client__._target
        text = f"{kind} on {target} has no method or property {name!r}"
        cls, hint = self.__bgpy_class__, self.__bgpy_client__._methods_hint()
        if hint:
            text = f"{text}{hint}"
        elif cls is not None and any(it["name"] == name for it in table(cls)["methods"]):
            text = f"{text} as yours has: start the server again with that class"
        elif not name.startswith("_"):
            text = f"{text}; its other attributes stay there"
        raise AttributeError(text, name=name, obj=self)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.__bgpy_client__.close()

    def __reduce__(self) -> Any:
        # Without the class: a proxy needs none, and it may be of a script that does not run there.
        return _unpickled, (self.__bgpy_client__._target,)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self.__bgpy_client__._target}>"


def proxy(client: Client, offered: dict[str, Any], cls: type | None = None) -> Any:
    """Return a proxy of a server's object.

    Parameters
    ----------
    client : Client
        The client by which it makes its calls.
    offered : dict
        What the server has told of its methods.
    cls : type, optional
        The class that the caller expects; a `RuntimeWarning` says what does not fit.
    """
    if cls is not None:
        from .compare import warn_of_differences

        warn_of_differences(client._target, offered, cls)
    made: Any = object.__new__(_class(offered))
    own = vars(made)
    own["__bgpy_client__"] = client
    own["__bgpy_class__"] = cls
    for about in offered["methods"]:
        if about["kind"] != "property" and about["name"] not in SPECIAL:
            # Found before the function of the class, so that a call costs no other look-up.
            own[about["name"]] = RemoteMethod(client, about, offered["class"])
    return made


def _class(offered: dict[str, Any]) -> type:
    """Return a class whose objects have the methods that a server offers."""
    name = offered["class"]
    members: dict[str, Any] = {
        "__doc__": offered["doc"],
        "__qualname__": name,
        "__module__": offered["module"] or __name__,
    }
    for about in offered["methods"]:
        if about["kind"] == "property":
            members[about["name"]] = _property(about, name)
        elif about["name"] in SPECIAL:
            members[about["name"]] = _special(about, name)
        else:
            members[about["name"]] = Function(about, name)
    return type(name.rpartition(".")[2], (Proxy,), members)


class Function:
    """A method of a proxy's class, for ``help`` and for completion."""

    def __init__(self, about: dict[str, Any], owner: str) -> None:
        self.__name__ = about["name"]
        self.__qualname__ = f"{owner}.{about['name']}"
        self.__doc__ = about["doc"]
        self._about = about
        self._owner = owner

    @property
    def __signature__(self) -> Any:
        from .signature import signature

        return signature(self._about, ("self",))

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return RemoteMethod(instance.__bgpy_client__, self._about, self._owner)

    def __call__(self, instance: Any, /, *arguments: Any, **keywords: Any) -> Any:
        return self.__get__(instance)(*arguments, **keywords)

    def __repr__(self) -> str:
        return f"<function {self.__qualname__} on a server>"


def _property(about: dict[str, Any], owner: str) -> property:
    def get(self: Any) -> Any:
        try:
            return RemoteMethod(self.__bgpy_client__, about, owner)()
        except AttributeError as error:
            # Otherwise Python would take the property for one that does not exist.
            _raised.set((self, about["name"], error))
            raise

    get.__name__ = about["name"]
    return property(get, doc=about["doc"])


def _special(about: dict[str, Any], owner: str) -> Callable[..., Any]:
    def special(self: Any, *arguments: Any, **keywords: Any) -> Any:
        return RemoteMethod(self.__bgpy_client__, about, owner)(*arguments, **keywords)

    special.__name__ = about["name"]
    special.__doc__ = about["doc"]
    return special


def _unpickled(target: str) -> Any:
    """Connect again where a proxy arrives; the token is found there, or not at all."""
    client = Client(target)
    return proxy(client, client._methods(None))


def client(proxy: object) -> Client:
    """Return the client under a proxy, which has the status, the log and the end of its server.

    Parameters
    ----------
    proxy : object
        What ``bgpy.connect(target, cls)`` has returned.

    Returns
    -------
    Client
        The client. It has one connection with the proxy.

    Raises
    ------
    TypeError
        If it is no proxy.
    """
    if not isinstance(proxy, Proxy):
        raise TypeError(f"client() takes a proxy of a service, not {type(proxy).__name__}")
    return proxy.__bgpy_client__
