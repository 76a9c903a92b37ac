"""Making the object of a service, and leaving it."""

from __future__ import annotations

from .table import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


def find(module: Any, path: str, place: str) -> Any:
    """Return the class or function of a module that makes the object.

    Raises
    ------
    ValueError
        If the module has nothing of that name.
    TypeError
        If it cannot be called.
    """
    found = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ValueError(f"{place} defines no {path}") from None
    if not callable(found):
        kind = type(found).__name__
        raise TypeError(f"{path} in {place} must be a class or a function, not {kind}")
    return found


def begin(
    factory: Callable[..., Any], texts: Iterable[tuple[str, str]]
) -> tuple[Any, Any, dict[str, Any]]:
    """Make the object of a service.

    Parameters
    ----------
    factory : callable
        A class, or a function that returns the object.
    texts : iterable of tuple of str
        Names and values of keyword arguments, as a user has written them on a command line.

    Returns
    -------
    tuple
        The object, after its ``__enter__``; its ``__exit__``, or None; and its table of methods.
    """
    arguments = {}
    if texts:
        from .texts import values

        arguments = values(factory, texts)
    made = factory(*(), **arguments)
    if made is None:
        name = getattr(factory, "__name__", repr(factory))
        raise TypeError(f"{name} must return the object to serve, not None")
    enter = getattr(type(made), "__enter__", None)
    entered = made if enter is None else enter(made)
    leave = getattr(type(made), "__exit__", None)
    return (
        made if entered is None else entered,
        None if leave is None else leave.__get__(made),
        table(type(made if entered is None else entered)),
    )
