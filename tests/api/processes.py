"""What tests do to the processes of servers."""

from __future__ import annotations

import os
import signal


def stand_still(pid: int) -> None:
    """Stop all threads of a child of this process, until it is sent SIGCONT."""
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)
