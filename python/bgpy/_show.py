"""Print the message on standard input: ``python -m bgpy._show``, for the command ``bgpy``.

The argument ``--json`` prints it as JSON instead of its repr, and ``--no-pickle`` refuses pickles.
If that is not possible, the error goes to standard output, and the exit code is 3.
"""

import sys

from ._bgpy import show
from .errors import BgpyError

if __name__ == "__main__":
    code = 0
    try:
        text = show("--no-pickle" not in sys.argv[1:], "--json" in sys.argv[1:])
    except (BgpyError, ValueError) as error:
        text, code = str(error), 3
    except KeyboardInterrupt:
        sys.exit(130)
    # The command reads UTF-8, whatever the terminal shows.
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.flush()
    sys.exit(code)
