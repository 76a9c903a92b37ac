"""Functions for tokens, and for the environment variable ``BGPY_TOKEN``."""

from __future__ import annotations

import os

from .._bgpy import token_create
from .environment import ENV_TOKEN

__all__ = ["token_create", "token_delenv", "token_getenv", "token_setenv"]


def token_setenv(token: str | None) -> None:
    """Set ``BGPY_TOKEN`` in the environment of this process; None leaves it unchanged."""
    if token is not None:
        os.environ[ENV_TOKEN] = token


def token_getenv() -> str | None:
    """Return the value of ``BGPY_TOKEN`` in the environment of this process, or None."""
    return os.environ.get(ENV_TOKEN)


def token_delenv() -> None:
    """Remove ``BGPY_TOKEN`` from the environment of this process."""
    os.environ.pop(ENV_TOKEN, None)
