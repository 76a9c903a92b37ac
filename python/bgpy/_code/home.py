"""The modules whose definitions are sent."""

from __future__ import annotations

import sys

from . import foreign_modules
from .constants import constant
from .kinds import is_definition
from .local import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Home:
    """Stands for a module whose definitions are sent, in one message."""

    __slots__ = ("module", "name", "namespace")

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        name = namespace.get("__name__")
        self.name = canonical(name) if type(name) is str else ""
        module = sys.modules.get(self.name)
        if getattr(module, "__dict__", None) is not namespace:
            # Generated or executed code has its own globals, which may contain any name.
            module = foreign_modules.of(namespace)
        self.module = module

    def variables_with(self, values: list[Any]) -> dict[str, Any]:
        """Return the variables that hold data which is among these values."""
        wanted = {id(it) for it in values if constant(it) is None and not is_definition(it)}
        if not wanted:
            return {}
        return {name: it for name, it in self.namespace.items() if id(it) in wanted}
