"""Servers that are reached by either transport."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bgpy import Client

TOKEN = "a token of the tests that is long enough"


@pytest.fixture(params=["unix", "tcp"])
def connect(request, start, tmp_path, monkeypatch):
    """Return a function that starts a server with a task and connects to it, by either way."""

    def connect(exec_task: Callable[..., object]) -> Client:
        server = start(token=TOKEN)
        if request.param == "tcp":
            # Where no entry is found, there is no socket file either.
            (tmp_path / "elsewhere").mkdir(mode=0o700)
            monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
        client = Client("127.0.0.1", server.port, token=TOKEN)
        client.initialize(dict, exec_task, lambda *_: None)
        return client

    return connect
