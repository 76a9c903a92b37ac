"""The class of a task's first argument."""

from .._bgpy import ClientSocket

__all__ = ["ClientSocket"]
