"""The main function of a background server's process."""

import sys

from ._bgpy import run_background_server


def main() -> None:
    """Become the server that the parent process describes on standard input."""
    sys.exit(run_background_server())
