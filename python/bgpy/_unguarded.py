"""The main module of processes that a task spawns, if its script cannot be run there.

A script without a main guard would start over in each of them. Whatever they look for in it is a
stand-in, which says so when it is called: if it could not be found at all, a worker would die, and
its pool would start another one for ever.
"""

from __future__ import annotations

from typing import Any


class _StandIn(type):
    """A class, as its instances may arrive as well."""

    def __call__(cls, *_: object, **__: object) -> None:
        raise RuntimeError(
            f"processes that the tasks spawn do not know {cls.__name__!r} of the script that sent "
            'the tasks, because it has no `if __name__ == "__main__":`, or its file is not here. '
            "Add that, put the tasks into a file, or fork: multiprocessing.get_context('fork')"
        )

    def __getattr__(cls, name: str) -> Any:
        return __getattr__(name)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    of_instances = {"__getattr__": lambda _, name: __getattr__(name)}
    return _StandIn(name, (), {"__module__": "__main__", **of_instances})
