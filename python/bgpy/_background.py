"""What a background server's process runs."""

import sys

from ._bgpy import run_background_server


def main() -> None:
    """Become the server that the process which started this one describes on standard input."""
    sys.exit(run_background_server())
