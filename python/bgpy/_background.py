"""What a background server's process runs: ``python -m bgpy._background``."""

import sys

from ._bgpy import run_background_server

if __name__ == "__main__":
    sys.exit(run_background_server())
