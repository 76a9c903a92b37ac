"""What tests do to the processes of servers."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

# Whether the tests may give files to other users, and write everywhere.
IS_ROOT = sys.platform != "win32" and os.geteuid() == 0

# The signal that ends a process so that it cannot clean up, and how one ends that gets it.
KILL = signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL
KILLED = int(KILL) if sys.platform == "win32" else -int(KILL)

STARTER = """
from bgpy import Server

server = Server("127.0.0.1", 0)
server.run_background()
print(server.pid, server.port)
"""


def stand_still(pid: int) -> None:
    """Stop all threads of a process, until it is sent SIGCONT."""
    os.kill(pid, signal.SIGSTOP)
    while state(pid) != "T":
        time.sleep(0.001)


def state(pid: int) -> str:
    """Tell what a process does, by the letter of proc_pid_stat(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def end(pid: int) -> None:
    """End a process, if it still exists, so that it cannot clean up."""
    # Windows knows no such process in other words.
    with suppress(ProcessLookupError, OSError if sys.platform == "win32" else ()):
        os.kill(pid, KILL)


def kill(pid: int) -> None:
    """End a process so that it cannot clean up, and wait until it is gone."""
    if sys.platform == "win32":
        import psutil

        process = psutil.Process(pid)
        process.kill()
        process.wait(30)
        return
    process = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    select.select([process], [], [])
    os.close(process)


def supervisor_of(pid: int) -> int:
    """Return the process that waits for the end of a server: its parent."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process(pid).ppid()
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Orphan:
    """A server whose starter has ended."""

    def __init__(self) -> None:
        done = subprocess.run([sys.executable, "-c", STARTER], capture_output=True, check=True)
        self.pid, self.port = map(int, done.stdout.split())

    def kill(self) -> None:
        """End it and its supervisor so that nobody can clean up, and wait until they are gone."""
        kill(supervisor_of(self.pid))
        kill(self.pid)
