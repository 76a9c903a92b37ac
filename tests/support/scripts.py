"""Scripts, run as users run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

LIMIT_S = 60


class Scripts:
    """Runs Python scripts in a directory, and ends those that a test leaves running."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self.running: list[subprocess.Popen[str]] = []

    def write(self, name: str, text: str) -> Path:
        """Write a file beside the scripts."""
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text))
        return path

    def run(self, text: str, *arguments: object, **options: Any) -> str:
        """Run a script to its end and to the end of its output; return what it printed."""
        process = self.spawn(text, *arguments, **options)
        printed, errors = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, errors
        return printed

    def spawn(self, text: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        """Start a script."""
        path = self.write(f"script_{len(self.running)}.py", text)
        process = subprocess.Popen(
            [sys.executable, str(path), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.running.append(process)
        return process

    def close(self) -> None:
        """End what still runs."""
        for process in self.running:
            if process.poll() is None:
                process.kill()
            with process:
                pass
