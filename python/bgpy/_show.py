"""Shows what the command ``bgpy`` hands over on standard input: ``python -m bgpy._show``.

``--no-pickle`` as an argument refuses pickles. Of a message that cannot be opened it tells in a
sentence on standard output, with the exit code 3.
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
