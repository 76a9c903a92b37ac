"""A place where a task waits until a test lets it go on."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

LIMIT_S = 30


class PipeGate:
    """Two named pipes: a task tells through one that it has come, and waits at the other.

    It may travel to a server, where it is the task's side of the gate.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.coming, self.leaving = str(directory / "coming"), str(directory / "leaving")
        os.mkfifo(self.coming)
        os.mkfifo(self.leaving)
        # Open for reading and writing, so that neither side waits for the other to open its end.
        self.descriptors = [os.open(path, os.O_RDWR) for path in (self.coming, self.leaving)]

    def __getstate__(self) -> dict[str, object]:
        return {"coming": self.coming, "leaving": self.leaving}

    def enter(self) -> None:
        """Tell the test that the task is here, and wait until the test opens the gate."""
        self.tell()
        with open(self.leaving, "rb", buffering=0) as leaving:
            leaving.read(1)

    def tell(self) -> None:
        """Tell the test that the task is here."""
        with open(self.coming, "wb", buffering=0) as coming:
            coming.write(b".")

    def wait_entered(self) -> None:
        """Wait until a task has come to the gate."""
        ready, _, _ = select.select([self.descriptors[0]], [], [], LIMIT_S)
        assert ready, "no task has come to the gate"
        os.read(self.descriptors[0], 1)

    def has_visitor(self) -> bool:
        """Tell whether a task has come that nobody has waited for."""
        return bool(select.select([self.descriptors[0]], [], [], 0)[0])

    def open(self) -> None:
        """Let one task through."""
        os.write(self.descriptors[1], b".")

    def close(self) -> None:
        """Let everything through, now and later, and clear up."""
        for path in (self.coming, self.leaving):
            os.unlink(path)
        for descriptor in self.descriptors:
            os.close(descriptor)


if sys.platform == "win32":
    from .semaphores import SemaphoreGate as Gate
else:
    Gate = PipeGate
