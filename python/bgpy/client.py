"""The class `bgpy.Client`, under its import path of bgpy 0.2 and 0.3.

Once it is imported, this module has the name of the function `bgpy.client`, so it can be called
like that.
"""

import sys
from types import ModuleType

from ._bgpy import Client
from ._services import proxy

__all__ = ["Client"]


class _Callable(ModuleType):
    __call__ = staticmethod(proxy.client)


sys.modules[__name__].__class__ = _Callable
