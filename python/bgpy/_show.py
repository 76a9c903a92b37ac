"""Shows what the command ``bgpy`` hands over on standard input: ``python -m bgpy._show``.

``--no-pickle`` as an argument refuses pickles.
"""

import sys

from ._bgpy import show

if __name__ == "__main__":
    print(show("--no-pickle" not in sys.argv[1:]))
