"""The client; also reachable as `bgpy.Client`."""

from ._bgpy import Client

__all__ = ["Client"]
