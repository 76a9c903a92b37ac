"""A notebook: a real kernel, which runs cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client import BlockingKernelClient, KernelManager

LIMIT_S = 60


class Notebook:
    """Runs cells in a kernel."""

    def __init__(self) -> None:
        self.manager = KernelManager(transport="ipc")
        self.manager.start_kernel()
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(LIMIT_S)

    def begin(self, cell: str) -> str:
        """Start a cell."""
        return self.client.execute(cell)

    def outputs(self, cell: str) -> Iterator[dict[str, Any]]:
        """Yield what a cell displays, until it has ended."""
        while True:
            message = self.client.get_iopub_msg(timeout=LIMIT_S)
            if message["parent_header"].get("msg_id") != cell:
                continue
            content = message["content"]
            if content.get("execution_state") == "idle":
                return
            if message["msg_type"] in ("stream", "error", "execute_result"):
                yield content

    def run(self, cell: str) -> str:
        """Run a cell, and return what it displays as text."""
        told = []
        for content in self.outputs(self.begin(cell)):
            if "traceback" in content:
                told += [*content["traceback"], ""]
            told.append(content.get("text") or content.get("data", {}).get("text/plain", ""))
        return "\n".join(told)

    def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def notebook(tmp_path, monkeypatch) -> Iterator[Notebook]:
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = Notebook()
    yield notebook
    notebook.close()


START = """import bgpy

def exec_task(client_socket, state, args):
    print("asked")
    value = 1 / args  # the line of the cell
    bgpy.respond(client_socket, value)

server = bgpy.start((dict, exec_task), name="lab")
client = bgpy.connect("lab")
"""


def test_a_traceback_shows_the_lines_of_the_cell(notebook):
    notebook.run("1")
    assert notebook.run(START) == ""
    told = notebook.run(
        "try: client.call(0)\nexcept bgpy.RemoteError as e: print(e.remote_traceback)"
    )
    assert 'File "In[2]", line 5, in exec_task' in told
    assert "    value = 1 / args  # the line of the cell" in told
    # The notebook shows the same below its own traceback.
    assert "value = 1 / args  # the line of the cell" in notebook.run("client.call(0)")
    notebook.run("server.stop()")


def test_servers_clients_and_logs_are_displayed(notebook):
    notebook.run(START)

    def html(cell: str) -> str:
        (shown,) = notebook.outputs(notebook.begin(cell))
        return shown["data"]["text/html"]

    for cell in ("server", "client", "bgpy.servers()", "bgpy.servers()[0]"):
        assert html(cell).startswith("<table>")
        assert "<td>READY</td>" in html(cell)
    assert notebook.run("client.call(1, echo=True)").splitlines() == ["asked", "", "1.0"]
    assert notebook.run("client.logs(1)") == notebook.run("server.logs(1)") == "asked"
    notebook.run("server.stop()")


WAITING = """import bgpy

def exec_task(client_socket, state, gate):
    gate.enter()
    bgpy.respond(client_socket, "done")

server = bgpy.start((dict, exec_task), name="lab")
client = bgpy.connect("lab")
"""


def test_an_interrupted_cell_cancels_the_call_and_says_so(notebook, gate):
    path = repr(str(gate.coming)), repr(str(gate.leaving))
    notebook.run(
        WAITING.replace(
            "gate.enter()",
            "open(gate[0], 'w').write('.'); open(gate[1]).read(1)",
        )
    )
    cell = notebook.begin(f"client.call(({path[0]}, {path[1]}))")
    gate.wait_entered()
    notebook.manager.interrupt_kernel()
    (error,) = notebook.outputs(cell)
    assert error["ename"] == "KeyboardInterrupt"
    note = "the server was told to cancel the call: bgpy.connect('lab').status() shows whether"
    assert note in "\n".join(error["traceback"])
    until_free = "while client.status()['state'] != 'READY': pass\n"
    assert notebook.run(until_free + "client.status()['calls']") == "1"
    notebook.run("server.stop()")
