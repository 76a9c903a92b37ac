"""The pytest fixture `bgpy_server`, which starts servers for a test and ends them with it.

A module of its own, beside the package: pytest imports it in every environment that has bgpy, and
most test runs there start no server, so bgpy itself is imported when a test asks for one.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Any

    from bgpy import Client, Server

# How long a server may finish its calls and its exit, in seconds; then it is killed.
_GRACE = 5.0
_LINES = 100


class _Servers:
    """The servers of one test, which are the only ones in the registry that it sees."""

    def __init__(self) -> None:
        self._servers: list[Server] = []
        self._clients: list[Client] = []

    def start(self, service: Any, name: str | None = None, **options: Any) -> Any:
        import bgpy

        server = bgpy.start(service, name, **options)
        self._servers.append(server)
        client = bgpy.connect(server)
        self._clients.append(client)
        try:
            return client.service(service if isinstance(service, type) else None)
        except bgpy.NoMethods:
            return client

    def logs(self) -> Iterator[tuple[str, str]]:
        """Yield the end of each server's log, also of those that the tested code has started."""
        import bgpy

        for about in bgpy.servers(ended=True):
            log = about.log_file
            if log is not None and log.exists():
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
                yield f"Log of {about.name or about.address}", "".join(lines[-_LINES:])

    def end(self) -> None:
        import bgpy

        for client in self._clients:
            client.close()
        for server in reversed(self._servers):
            try:
                server.stop(_GRACE)
            except bgpy.BgpyError:
                # It is among those that are killed.
                continue
        for about in bgpy.servers():
            _command("stop", about.address, "--timeout", f"{_GRACE}s")
        for about in bgpy.servers():
            _command("kill", about.address)


def _command(*arguments: str) -> None:
    subprocess.run(  # noqa: S603
        [sys.executable, "-m", "bgpy", *arguments], stdin=subprocess.DEVNULL, check=False
    )


_SERVERS: pytest.StashKey[_Servers] = pytest.StashKey()


@pytest.fixture
def bgpy_server(request: pytest.FixtureRequest) -> Generator[Callable[..., Any], None, None]:
    """Start servers that end with the test: `bgpy_server(Counter)` returns a proxy of its object.

    It takes what `bgpy.start` takes, and returns a proxy, or, for tasks, a client. During the test,
    the registry is a directory of its own, so that no other servers are seen, and `BGPY_TOKEN` is
    unset. If the test fails, its report has the logs of the servers.
    """
    servers = _Servers()
    # A short path: those of Unix sockets are limited.
    directory = Path(tempfile.mkdtemp(prefix="bgpy-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BGPY_RUNTIME_DIR", str(directory))
        patch.delenv("BGPY_TOKEN", raising=False)
        request.node.stash[_SERVERS] = servers
        try:
            yield servers.start
        finally:
            del request.node.stash[_SERVERS]
            servers.end()
            shutil.rmtree(directory, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Add the logs of a test's servers to its report, if it fails."""
    outcome = yield
    servers = item.stash.get(_SERVERS, None)
    if servers is not None:
        report = outcome.get_result()
        if report.failed:
            report.sections += servers.logs()
