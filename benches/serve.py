"""The server of one way of calling, as a process: ``python serve.py MODULE:CLASS DIRECTORY``.

It prints its address when it listens.
"""

import sys
from pathlib import Path

from ways import load

if __name__ == "__main__":
    load(sys.argv[1]).serve(Path(sys.argv[2]))
