"""bgpy 0.3.1, by an interpreter of its own."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from workspace import BENCHES, OLD_PYTHON, Workspace

from .way import Act, Way


class Old(Way):
    """The client and its server live in other processes; only the times come back."""

    title = "bgpy 0.3.1"
    calls_max = 1
    rounds_max = 3

    def open(self) -> None:
        self.client = OldClient(self.workspace)
        self.client.ask("start")
        self.client.ask("initialize")

    def call(self, data: bytes) -> bytes:
        self.client.ask(f"call {len(data)}")
        return data

    def times(self, data: Any, count: int, _act: Act = Act.ECHO) -> list[int]:
        return [self.client.ask(f"call {len(data)}") for _ in range(count)]

    def close(self) -> None:
        self.client.ask("terminate")

    def check(self, data: Any, _act: Act = Act.ECHO) -> None:
        """Leave it to the client, which checks every answer."""


class OldClient:
    """The process `old_client.py`."""

    def __init__(self, workspace: Workspace) -> None:
        if not OLD_PYTHON.exists():
            raise FileNotFoundError("bgpy 0.3.1 is not installed; run `make bench`")
        path = f"{OLD_PYTHON.parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(BENCHES)}
        command = [OLD_PYTHON, BENCHES / "old_client.py"]
        self.errors = workspace.directory / "old.err"
        with self.errors.open("a") as stderr:
            self.process = workspace.run(
                command, env=environment, stderr=stderr, start_new_session=True
            )
        workspace.exits.callback(self.end_servers)

    def ask(self, command: str) -> int:
        """Have a command done; return how long it took in nanoseconds."""
        print(command, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            words = self.errors.read_text().strip().splitlines() or ["no output"]
            raise RuntimeError(f"it ended at '{command}': {words[-1]}")
        return int(line)

    def end_servers(self) -> None:
        """End it with the servers that it has started: that version leaves them in its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
