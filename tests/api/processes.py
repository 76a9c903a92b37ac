"""What tests do to the processes of servers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def stand_still(pid: int) -> None:
    """Stop all threads of a process, until it is sent SIGCONT."""
    os.kill(pid, signal.SIGSTOP)
    while state(pid) != "T":
        time.sleep(0.001)


def state(pid: int) -> str:
    """Tell what a process does, by the letter of proc_pid_stat(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
