"""The server and `respond`; also reachable from `bgpy`."""

from ._bgpy import Server, respond

__all__ = ["Server", "respond"]
