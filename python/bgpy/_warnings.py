"""Warnings, at the line of the user's code that they are about, and notices."""

from __future__ import annotations

import os
import sys
import warnings

_PACKAGE = os.path.dirname(__file__)


def warn(text: str) -> None:
    """Issue a `RuntimeWarning`."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, RuntimeWarning, stacklevel=level)


def tell(text: str) -> None:
    """Say on standard error what a call waits for, which is no fault and so no warning."""
    # A program without a console has no such stream.
    if sys.stderr is not None:
        print(text, file=sys.stderr, flush=True)
