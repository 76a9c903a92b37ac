"""In a notebook, tasks that are sent again replace those of before."""

from __future__ import annotations

import pytest

# The shell of a kernel knows the kernel.
KERNEL = """
import sys
import types

if "kernel" in sys.argv:
    shell = types.SimpleNamespace(kernel=object())
    sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell)
elif "prompt" in sys.argv:
    sys.modules["ipykernel"] = types.ModuleType("ipykernel")
    sys.modules["IPython"] = types.SimpleNamespace(get_ipython=object)

import bgpy


def cell(word):
    def exec_task(client_socket, state, args):
        state["calls"] = state.get("calls", 0) + 1
        bgpy.respond(client_socket, f"{word} {state['calls']}")

    return dict, exec_task


"""


@pytest.mark.parametrize("kernel", [True, False])
def test_a_cell_that_was_edited_replaces_its_server(scripts, kernel):
    told = scripts.run(
        KERNEL
        + """
with bgpy.Server() as server:
    client = bgpy.Client(server.host, server.port)
    for word in ("one", "one", "two"):
        print(client.initialize(*cell(word))["message"], client.call(None))
    print(server.is_alive(), client.port == server.port, len(bgpy.servers()))
""",
        "kernel" if kernel else "prompt",
    ).splitlines()
    last = "Initialization successful. two 1" if kernel else "Already initialized. one 3"
    assert told == [
        "Initialization successful. one 1",
        "Already initialized. one 2",
        last,
        "True True 1",
    ]


def test_the_functions_of_the_package_do_as_well(scripts):
    told = scripts.run(
        KERNEL
        + """
import socket

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
for word in ("one", "one", "two"):
    print(bgpy.initialize(*cell(word), port=port)["message"])
    print(bgpy.execute(None, await_response=True, port=port))
bgpy.terminate(port=port)
""",
        "kernel",
    ).splitlines()
    assert told[::2] == [
        "Initialization successful.",
        "Already initialized.",
        "Initialization successful.",
    ]
    assert told[1::2] == ["one 1", "one 2", "two 1"]


def test_a_server_of_another_process_keeps_its_tasks(scripts):
    start = KERNEL + "bgpy.start(cell(sys.argv[2]), 'lab', exist_ok=True)\n"
    assert scripts.run(start, "kernel", "one") == ""
    told = scripts.run(
        KERNEL
        + """
client = bgpy.connect("lab")
print(client.initialize(*cell("two"))["message"], client.call(None))
client.terminate()
""",
        "kernel",
    )
    assert told == "Already initialized. one 1\n"


def test_exist_ok_keeps_the_tasks_and_says_so(scripts):
    told = scripts.run(
        KERNEL
        + """
import warnings
for word in ("one", "two"):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        server = bgpy.start(cell(word), "lab", exist_ok=True)
    print(len(caught), bgpy.connect("lab").call(None))
server.stop()
""",
        "kernel",
    )
    assert told == "0 one 1\n1 one 2\n"
