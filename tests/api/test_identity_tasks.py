"""Tasks that a client has sent are the client's, and stand for nothing that others send."""

from __future__ import annotations

import pytest
from support.scripts import Scripts

# What the script defines, and what is called: each call is worth what it is in the script.
SCRIPT = """
import sys
from bgpy import Client

def init_task():
    return {{"calls": 0, "kept": []}}

def exec_task(client_socket, state, args):
    state["calls"] += 1
    client_socket.respond(args[0](*args[1:]) if args[0] != "keep" else keep(state, args[1]))

def keep(state, new):
    state["kept"].append(new)
    return [isinstance(new, type(one)) for one in state["kept"]]

{defined}

if __name__ == "__main__":
    client = Client("127.0.0.1", int(sys.argv[1]))
    if len(sys.argv) == 2:
        client.initialize(init_task, exec_task, print)
    there = lambda *args: client.call(args)
{called}
"""
CASES = {
    "a variable that a helper reads": (
        "settings = {'gain': 1}\ndef helper(): return settings['gain']\ndef get(): return helper()",
        "for n in (1, 2): settings = {'gain': n}; print(there(get), get())\n"
        "settings['gain'] = 3; print(there(get), get())",
        "1 1\n2 2\n3 3\n",
    ),
    "a helper that becomes another": (
        "x = [1]\ndef one():\n    def b(): return x[0]\n    return b\n"
        "def two():\n    def b(): return -x[0]\n    return b\ndef get(): return b()",
        "for n in (1, 2):\n    x = [n]\n"
        "    for make in (one, two): b = make(); print(there(get), get())",
        "1 1\n-1 -1\n2 2\n-2 -2\n",
    ),
    "a class that is defined again": (
        "def define():\n    global A\n    class A: pass\n    return A()\n"
        "def is_one(it): return isinstance(it, A)",
        "for _ in range(2): new = define(); print(there(is_one, new), there('keep', new))",
        "True [True]\nTrue [False, True]\n",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_changes_in_the_script_of_the_tasks_arrives(scripts: Scripts, start, case):
    defined, called, seen = CASES[case]
    called = "\n".join(f"    {line}" for line in called.splitlines())
    assert scripts.run(SCRIPT.format(defined=defined, called=called), start().port) == seen


def test_two_processes_of_one_script_change_their_own(scripts: Scripts, start):
    defined = "class Plain:\n    limit = 1\ndef probe(): return Plain.limit"
    called = "    Plain.limit += len(sys.argv)\n    print(there(probe), Plain.limit)"
    text = SCRIPT.format(defined=defined, called=called)
    port = start().port
    assert scripts.run(text, port) == "3 3\n"
    assert scripts.run(text, port, "second") == "4 4\n"
