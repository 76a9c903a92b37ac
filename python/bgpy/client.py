"""The class `bgpy.Client`, under its import path of bgpy 0.2 and 0.3."""

from ._bgpy import Client

__all__ = ["Client"]
