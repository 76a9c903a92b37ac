"""Print the message on standard input: ``python -m bgpy._show``, for the command ``bgpy``.

The argument ``--json`` prints it as JSON instead of its repr, and ``--no-pickle`` refuses pickles.
If that is not possible, the error goes to standard output, and the exit code is 3.
"""

import sys

from ._bgpy import show
from ._json import NoForm
from .errors import BgpyError

if __name__ == "__main__":
    try:
        print(show("--no-pickle" not in sys.argv[1:], "--json" in sys.argv[1:]))
    except (BgpyError, NoForm) as error:
        print(error)
        sys.exit(3)
