"""Print the message on standard input: ``python -m bgpy._show``, for the command ``bgpy``.

The argument ``--no-pickle`` refuses pickles. If the message cannot be decoded, the error goes to
standard output, and the exit code is 3.
"""

import sys

from ._bgpy import show
from .errors import BgpyError

if __name__ == "__main__":
    try:
        print(show("--no-pickle" not in sys.argv[1:]))
    except BgpyError as error:
        print(error)
        sys.exit(3)
