"""What the pages for users of other packages show of those runs, too, where they are installed.

Their code is in blocks of the language ``py``: a file, which has a name in its first line, is a
server that runs on while the blocks behind it, the clients, run.
"""

from __future__ import annotations

import importlib.util
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from test_snippets import NAME, ROOT, sections

PAGES = sorted((ROOT / "docs" / "migrate").glob("*.md"))
PACKAGES = ("rpyc", "Pyro5", "ray", "multiprocessing")


def interpreter_with(package: str) -> str:
    """Return an interpreter that has a package: this one, or one that was set up for benchmarks."""
    if importlib.util.find_spec(package) is not None:
        return sys.executable
    for found in (ROOT / ".bench").glob(f"*/lib/python*/site-packages/{package}"):
        return str(found.parents[3] / "bin" / "python")
    pytest.skip(f"{package} is not installed")


def wait_until_it_listens(server: subprocess.Popen[bytes], port: int) -> None:
    while server.poll() is None:
        with socket.socket() as dialled:
            dialled.settimeout(1)
            if dialled.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail(f"the server has ended with {server.returncode}")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_there_was_before(page: Path, tmp_path: Path) -> None:
    blocks = [it.text for part in sections(page) for it in part.blocks if it.language == "py"]
    package = next(it for it in PACKAGES if re.search(rf"^(from|import) {it}\b", blocks[-1], re.M))
    python = interpreter_with(package)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    servers = []
    try:
        for text in blocks:
            name = NAME.match(text.partition("\n")[0])
            path = tmp_path / (name[1] if name else "client.py")
            path.write_text(text.replace("54321", str(port)))
            if name:
                servers.append(subprocess.Popen([python, str(path)], cwd=tmp_path))
                wait_until_it_listens(servers[-1], port)
                continue
            done = subprocess.run(
                [python, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=60
            )
            assert done.stdout.splitlines() == re.findall(r"#> (.*)$", text, re.M), done.stderr
    finally:
        for server in servers:
            server.kill()
            server.wait()
