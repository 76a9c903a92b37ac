"""Making the object of a service, and leaving it."""

from __future__ import annotations

from functools import partial

from .table import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .loop import Loop


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
            raise ValueError(f"{place} defines no {path}{_instead(module)}") from None
    if not callable(found):
        kind = type(found).__name__
        raise TypeError(f"{path} in {place} must be a class or a function, not {kind}")
    return found


def _instead(module: Any) -> str:
    """Return what a module has for a user who asked for something else."""
    names = classes(module)
    return f"; its classes are {', '.join(names)}" if names else ""


def classes(module: Any) -> list[str]:
    """Return the names of the classes that a module itself defines."""
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]


def begin(
    factory: Callable[..., Any], texts: Iterable[tuple[str, str]]
) -> tuple[Any, Any, dict[str, Any], Loop | None]:
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
        The object, after its ``__enter__`` or ``__aenter__``; what leaves it, or None; its table of
        methods; and its event loop, or None.
    """
    arguments = {}
    if texts:
        from .texts import values

        arguments = values(factory, texts)
    made = factory(**arguments)
    if made is None:
        name = getattr(factory, "__name__", repr(factory))
        raise TypeError(f"{name} must return the object to serve, not None")
    kind = type(made)
    loop, entered, leave = None, made, None
    if hasattr(kind, "__aenter__") or _has_async(table(kind)):
        from .loop import Loop

        loop = Loop()
    if loop is not None and hasattr(kind, "__aenter__"):
        entered = loop.run(kind.__aenter__(made))
        if hasattr(kind, "__aexit__"):
            leave = partial(_left, loop, kind.__aexit__, made)
    else:
        if hasattr(kind, "__enter__"):
            entered = kind.__enter__(made)
        if hasattr(kind, "__exit__"):
            leave = partial(kind.__exit__, made)
    served = made if entered is None else entered
    offered = table(type(served))
    if loop is None and _has_async(offered):
        # What `__enter__` has returned is of another class.
        from .loop import Loop

        loop = Loop()
    return served, leave, offered, loop


def _left(loop: Loop, leave: Any, made: Any, *exception: object) -> Any:
    return loop.run(leave(made, *exception))


def _has_async(table: dict[str, Any]) -> bool:
    return any(about["runs"] == "async" for about in table["methods"])
