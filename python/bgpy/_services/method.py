"""The decorator for methods, and what it notes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, overload

    F = TypeVar("F")
else:

    def overload(function):
        return function


@overload
def method(function: F, /) -> F: ...
@overload
def method(  # noqa: F811
    *, read: bool = False, cancel: bool = True
) -> Callable[[F], F]: ...


def method(  # noqa: F811
    function: Any = None, /, *, read: bool = False, cancel: bool = True
) -> Any:
    """Say how a method of a service runs. Without this decorator, it is called alone and in order.

    Parameters
    ----------
    read : bool, default False
        Whether the method only reads. It runs on a thread, and perhaps beside other such calls, but
        never beside one that may write. It is cancelled only where it calls `progress` or
        `check_cancelled`.
    cancel : bool, default True
        Whether a call of the method can be cancelled while it runs.

    Returns
    -------
    function
        The same function, or a decorator.

    Raises
    ------
    ConfigError
        If it is put on something that is no function.

    Examples
    --------
    >>> class Counter:
    ...     @bgpy.method(read=True)
    ...     def peek(self) -> int:
    ...         return self.value
    """
    if function is None:
        return lambda function: _noted(function, read, cancel)
    return _noted(function, read, cancel)


def _noted(function: Any, read: bool, cancel: bool) -> Any:
    try:
        function.__bgpy_method__ = (read, cancel)
    except AttributeError:
        from ..errors import ConfigError

        kind = type(function).__name__
        text = f"bgpy.method goes on a function, below other decorators, not on a {kind}"
        raise ConfigError(text) from None
    return function


def options_of(function: Any) -> tuple[bool, bool]:
    """Return what the decorator has noted: whether the method reads, and whether it cancels."""
    noted = getattr(function, "__bgpy_method__", (False, True))
    return noted if type(noted) is tuple else (False, True)
