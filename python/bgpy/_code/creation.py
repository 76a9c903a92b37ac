"""Creates classes that have arrived, without the user's own code for that.

That code (metaclasses, and hooks of bases) has run where the class was defined.
"""

from __future__ import annotations

from .content import is_by_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Modules of metaclasses that do nothing more than `type` once a class is complete.
_PLAIN_META = {"builtins", "enum", "typing", "typing_extensions"}


def created(meta: Any, name: str, bases: tuple[type, ...], start: dict[str, Any]) -> Any:
    """Create a class that gets most of its attributes later."""
    if any(map(_has_hook, bases)):
        made = _made(meta, name, tuple(map(_stand_in, bases)), start)
        try:
            type.__setattr__(made, "__bases__", bases)
        except TypeError:
            # The object layout differs. Call the hook, which may work without its arguments.
            pass
        else:
            return made
    return _made(meta, name, bases, start)


def _made(meta: Any, name: str, bases: tuple[type, ...], start: dict[str, Any]) -> Any:
    # The user's own metaclasses have run where the class was defined, and are skipped here.
    for base in meta.__mro__:
        module_name = base.__module__
        if is_by_value(base) or module_name in _PLAIN_META:
            continue
        made = base.__new__(meta, name, bases, dict(start))
        if module_name != "abc":
            base.__init__(made, name, bases, dict(start))
        return made
    return type.__new__(meta, name, bases, dict(start))


def _has_hook(base: type) -> bool:
    """Return whether deriving a class from this one runs the user's own code."""
    holders = (cls for cls in base.__mro__ if "__init_subclass__" in vars(cls))
    return is_by_value(next(holders))


def _stand_in(base: type) -> type:
    """Make a class with the same object layout as the user's own base, but without its hook.

    The hook has run where the class was defined; its arguments are not known any more.
    """
    if not is_by_value(base):
        return base
    kept = {
        name: vars(base)[name] for name in ("__slots__", "__orig_bases__") if name in vars(base)
    }
    return type(base.__name__, tuple(map(_stand_in, base.__bases__)), kept)
