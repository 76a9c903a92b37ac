"""A class is one object in each process, wherever its instances come from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.scripts import Scripts

import bgpy

from . import world

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
    assert json.loads(printed) == [], printed


CLASSES = """
import bgpy, sys

class Job:
    known = []
    limit = 1

    def __init__(self):
        type(self).known.append(len(self.known))

    def work(self):
        return helper()

def helper():
    return {helper}

class Bad(Exception):
    pass

def exec_task(client_socket, state, args):
    if args == "raise":
        raise Bad("there")
    if args == "known":
        client_socket.respond((len(Job.known), Job.limit, Job.work(None)))
    else:
        client_socket.respond((isinstance(args, Job), args, args.work()))
"""
CALLING = """
with bgpy.connect(sys.argv[1]) as client:
    Job.limit = 5
    jobs = [Job(), Job(), Job()]
    is_own, back, worked = client.call(jobs[0])
    print(is_own, type(back) is Job, worked, client.call("known"), Job.limit, len(Job.known))
    try:
        client.call("raise")
    except bgpy.RemoteError as error:
        print(isinstance(error.exception, Bad))
"""


def test_two_runs_of_a_script_mean_the_same_classes(scripts: Scripts):
    text = CLASSES.format(helper=1) + (
        'bgpy.start((dict, exec_task, print), "runs", exist_ok=True)\n' + CALLING
    )
    # What arrives changes nothing there: neither the list nor the limit.
    expected = "True True 1 (0, 1, 1) 5 3\nTrue\n"
    assert [scripts.run(text, "runs") for _ in range(2)] == [expected, expected]


def test_an_edited_script_brings_other_classes_and_the_log_says_so(scripts: Scripts):
    begin = 'server = bgpy.start((dict, exec_task, print), "runs", exist_ok=True)\n'
    script = CLASSES + begin.replace("{", "{{") + CALLING.replace("{", "{{")
    assert scripts.run(script.format(helper=1), "runs") == "True True 1 (0, 1, 1) 5 3\nTrue\n"
    assert scripts.run(script.format(helper=2), "runs") == "False True 2 (0, 1, 1) 5 3\nTrue\n"
    (server,) = bgpy.servers()
    log = Path(server.log_file).read_text()
    assert log.count("__main__.Job was sent with a definition that differs") == 1


def test_a_module_that_was_edited_means_the_one_that_is_there(scripts: Scripts, start):
    module = CLASSES.format(helper=1) + "\ninit_task = dict\nexit_task = print\n"
    server = start(init_file=scripts.write("shapes.py", module), name="edited")
    scripts.write("shapes.py", module.replace("return 1", "return 2"))
    printed = scripts.run("import bgpy, sys\nfrom shapes import *\n" + CALLING, "edited")
    assert printed == "True True 1 (0, 1, 1) 5 3\nTrue\n"
    log = Path(server.log_file).read_text()
    assert log.count("shapes.Job was sent with a definition that differs") == 1


def test_a_script_and_the_tasks_file_that_it_is_are_one_module(scripts: Scripts, start):
    text = CLASSES.format(helper=1) + "\ninit_task = dict\nexit_task = print\n"
    text += "if __name__ == '__main__':" + CALLING.replace("\n", "\n    ")
    start(init_file=scripts.write("script_0.py", text), name="both")
    assert scripts.run(text, "both") == "True True 1 (0, 1, 1) 5 3\nTrue\n"


def test_a_client_with_other_code_than_the_tasks_is_warned(scripts: Scripts, start):
    text = CLASSES.format(helper=1) + "\ninit_task = dict\nexit_task = print\n"
    text = text.replace("respond((isinstance(args, Job), args, args.work()))", "respond(Job())")
    start(init_file=scripts.write("script_0.py", text), name="old")
    edited = text.replace("return 1", "return 2") + (
        "if __name__ == '__main__':\n"
        "    import warnings\n"
        "    with bgpy.connect('old') as client, warnings.catch_warnings(record=True) as said:\n"
        "        back = [client.call(1), client.call(1)]\n"
        "    print(isinstance(back[0], Job), type(back[0]) is type(back[1]),\n"
        "        *{str(it.message)[:60] for it in said})\n"
    )
    printed = scripts.run(edited)
    assert printed.startswith("True True script_0.")
    assert printed.count("script_0.Job was sent with a definition that differs") == 1
