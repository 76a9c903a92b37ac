"""A gate for tasks on Windows, which has no named pipes in its file system."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

LIMIT_S = 30

# Far more than a test lets through.
MANY = 1_000_000


class Semaphore:
    """A semaphore that processes share by its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.system = ctypes.WinDLL("kernel32", use_last_error=True)
        self.system.CreateSemaphoreW.restype = ctypes.c_void_p
        self.handle = ctypes.c_void_p(self.system.CreateSemaphoreW(None, 0, 2 * MANY, name))
        assert self.handle.value, ctypes.WinError(ctypes.get_last_error())

    def give(self, count: int = 1) -> None:
        """Let so many through."""
        assert self.system.ReleaseSemaphore(self.handle, count, None)

    def take(self, limit_s: float | None) -> bool:
        """Wait until one may pass; return whether that was in time."""
        limit_ms = 0xFFFF_FFFF if limit_s is None else round(limit_s * 1000)
        return self.system.WaitForSingleObject(self.handle, limit_ms) == 0


class SemaphoreGate:
    """A place where a task waits until a test lets it go on.

    It may travel to a server, where it is the task's side of the gate.
    """

    def __init__(self, directory: Path) -> None:
        self.open_by(str(directory).replace("\\", "/"))

    def open_by(self, name: str) -> None:
        self.name = name
        self.coming, self.leaving = Semaphore(f"{name}-coming"), Semaphore(f"{name}-leaving")

    def __getstate__(self) -> dict[str, object]:
        return {"name": self.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.open_by(state["name"])

    def enter(self) -> None:
        """Tell the test that the task is here, and wait until the test opens the gate."""
        self.tell()
        self.leaving.take(None)

    def tell(self) -> None:
        """Tell the test that the task is here."""
        self.coming.give()

    def wait_entered(self) -> None:
        """Wait until a task has come to the gate."""
        assert self.coming.take(LIMIT_S), "no task has come to the gate"

    def has_visitor(self) -> bool:
        """Tell whether a task has come that nobody has waited for."""
        has_come = self.coming.take(0)
        if has_come:
            self.coming.give()
        return has_come

    def open(self) -> None:
        """Let one task through."""
        self.leaving.give()

    def close(self) -> None:
        """Let everything through, now and later."""
        self.leaving.give(MANY)
