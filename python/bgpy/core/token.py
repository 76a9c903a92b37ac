"""Tokens, and the environment variable that may hold one."""

from __future__ import annotations

import os

from .._bgpy import token_create
from .environment import ENV_TOKEN

__all__ = ["token_create", "token_delenv", "token_getenv", "token_setenv"]


def token_setenv(token: str | None) -> None:
    """Put a token into the environment of this process; None leaves it as it is."""
    if token is not None:
        os.environ[ENV_TOKEN] = token


def token_getenv() -> str | None:
    """Return the token in the environment of this process, if there is one."""
    return os.environ.get(ENV_TOKEN)


def token_delenv() -> None:
    """Remove the token from the environment of this process."""
    os.environ.pop(ENV_TOKEN, None)
