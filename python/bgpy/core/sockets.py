"""What a task gets as its first argument."""

from .._bgpy import ClientSocket

__all__ = ["ClientSocket"]
