"""`bgpy.Server` and `bgpy.respond`, under their import path of bgpy 0.2 and 0.3."""

from ._bgpy import Server, respond

__all__ = ["Server", "respond"]
