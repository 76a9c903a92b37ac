"""The command line: ``python -m bgpy``, and the console script ``bgpy``."""

import sys

from ._bgpy import main as run


def main() -> None:
    """Run the command with the arguments of this process, and exit with its exit code."""
    sys.exit(run(["bgpy", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
