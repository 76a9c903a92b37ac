"""A class is one object in each process, wherever its instances come from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from . import world
from .scripts import Scripts

HOST = "127.0.0.1"
WORLD = Path(world.__file__).read_text()

# Runs the checks on the server, and sends everything there and back: prints what differs.
DRIVER = """
def compare(client):
    differing = [
        (there, here) for there, here in zip(client.call("checks"), checks(), strict=True)
        if there != here
    ]
    for place, sent in enumerate(everything()):
        is_own_there, back = client.call((place, sent))
        if not is_own_there:
            differing.append(f"{sent} is another one there")
        if not same(sent, back):
            differing.append(f"{sent} comes back as another one")
    return differing
"""
MAIN = """
if __name__ == "__main__":
    import json, sys
    from bgpy import Client

    client = Client("127.0.0.1", int(sys.argv[1]))
    client.initialize(dict, exec_task, print)
    print(json.dumps(compare(client)))
"""
BESIDE = """
import json, sys
from bgpy import Client
import world
from world import checks, everything, same
{driver}
client = Client("127.0.0.1", int(sys.argv[1]))
{initialize}
print(json.dumps(compare(client)))
"""
AWAY = """
import sys
from bgpy import Server

server = Server("127.0.0.1", 0)
server.run_background(cwd="/")
print(server.port)
"""


def away(tmp_path):
    """Start a server that finds none of the modules of a script."""
    script = tmp_path / "elsewhere" / "away.py"
    script.parent.mkdir()
    script.write_text(AWAY)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_everything_of_a_script(scripts: Scripts, start):
    assert json.loads(scripts.run(WORLD + DRIVER + MAIN, start().port)) == []


@pytest.mark.parametrize("is_away", [False, True], ids=["found", "missing"])
@pytest.mark.parametrize("task", ["world.exec_task", "lambda *args: world.exec_task(*args)"])
def test_everything_of_a_module_beside_the_script(scripts: Scripts, start, tmp_path, is_away, task):
    scripts.write("world.py", WORLD)
    initialize = f"client.initialize(dict, {task}, print)"
    server = away(tmp_path) if is_away else int(scripts.run(AWAY.replace('cwd="/"', "")))
    text = BESIDE.format(driver=DRIVER, initialize=initialize)
    assert json.loads(scripts.run(text, server)) == []


def test_everything_of_a_tasks_file(scripts: Scripts, start):
    file = scripts.write("world.py", WORLD + "\ninit_task = dict\nexit_task = print\n")
    server = start(init_file=file)
    text = BESIDE.format(driver=DRIVER, initialize="")
    assert json.loads(scripts.run(text, server.port)) == []


def test_everything_of_the_script_of_a_spawned_worker(scripts: Scripts, start):
    printed = scripts.run(
        WORLD
        + DRIVER
        + """
def work(port):
    from bgpy import Client

    return compare(Client("127.0.0.1", port))

if __name__ == "__main__":
    import json, multiprocessing, sys
    from bgpy import Client

    Client("127.0.0.1", int(sys.argv[1])).initialize(dict, exec_task, print)
    found = []
    for method in ("spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            found += pool.apply(work, (int(sys.argv[1]),))
    print(json.dumps(found))
""",
        start().port,
    )
    assert json.loads(printed) == []
