"""Proxies for asyncio: objects whose methods run in a server and are awaited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .._bgpy import RemoteMethod
from .._services.table import SPECIAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import Client

# What can be awaited of the special methods.
_AWAITED = ("__call__", "__getitem__")


class AsyncMethod:
    """A method of a server's object, whose call is awaited or, for a stream, iterated over."""

    def __init__(self, client: Client, remote: RemoteMethod) -> None:
        self._client = client
        self._remote = remote

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        from . import Stream

        message, timeout, on_progress, window = self._remote._prepared(*arguments, **keywords)
        name = self._remote.__name__
        if window is not None:
            return Stream(self._client, message, timeout, on_progress, window, name)
        asked = self._client._asked("EXEC", "first", message, on_progress, name)
        return self._client._limited(asked, timeout)

    async def _begin(self, *arguments: Any, **keywords: Any) -> Any:
        message, _, on_progress, window = self._remote._prepared(*arguments, **keywords)
        if window is not None:
            raise TypeError(f"{self.__name__} yields values: iterate over what it returns")
        connection = await self._client._connected()
        return connection.begin("EXEC", "first", message, on_progress, self._remote.__name__)

    async def _submit(self, *arguments: Any, **keywords: Any) -> Any:
        from .. import _jobs
        from ._job import Job

        submitted = await asyncio.to_thread(self._remote._submit, *arguments, **keywords)
        return Job(self._client, _jobs.Job(*submitted))

    def _with(self, *options: Any) -> AsyncMethod:
        return AsyncMethod(self._client, self._remote._with(*options))

    @property
    def __name__(self) -> str:
        return self._remote.__name__

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._remote.__doc__

    @property
    def __signature__(self) -> Any:
        return self._remote.__signature__

    def __repr__(self) -> str:
        return f"<async {repr(self._remote)[1:]}"


class AsyncProxy:
    """The base class of proxies for asyncio."""

    __bgpy_client__: Client

    def __setattr__(self, name: str, value: object) -> None:
        kind = type(self).__name__
        text = f"{name!r} cannot be set: the attributes of {kind} are on the server"
        raise AttributeError(text, name=name, obj=self)

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.__bgpy_client__.close()

    def __repr__(self) -> str:
        return f"<async {type(self).__name__} on {self.__bgpy_client__._client._target}>"


def proxy(client: Client, table: dict[str, Any], cls: type | None = None) -> Any:
    """Return a proxy of a server's object, with methods to await."""
    if cls is not None:
        from .._services.compare import warn_of_differences

        warn_of_differences(client._client._target, table, cls)
    name = table["class"]
    members: dict[str, Any] = {
        "__doc__": table["doc"],
        "__qualname__": name,
        "__module__": table["module"] or __name__,
    }
    own: dict[str, Any] = {"__bgpy_client__": client}
    for about in table["methods"]:
        method = AsyncMethod(client, RemoteMethod(client._client, about, name))
        if about["kind"] == "property":
            members[about["name"]] = property(_called(method), doc=about["doc"])
        elif about["name"] == "__iter__":
            members["__aiter__"] = _called(method)
        elif about["name"] in _AWAITED:
            members[about["name"]] = _called(method)
        elif about["name"] not in SPECIAL:
            own[about["name"]] = method
    made: Any = object.__new__(type(name.rpartition(".")[2], (AsyncProxy,), members))
    vars(made).update(own)
    return made


def _called(method: AsyncMethod) -> Callable[..., Any]:
    """Return a function for a class, which has the object as its first argument."""
    return lambda _proxy, *arguments, **keywords: method(*arguments, **keywords)
