"""What a process sends comes back as its own: in each run, after edits, whatever else changes."""

from __future__ import annotations

import pytest

from .scripts import Scripts

SERVER = """
from bgpy import respond

def init_task():
    return {"kept": []}

def exec_task(client_socket, state, args):
    state["kept"].append(args)
    respond(client_socket, args[0](*args[1:]) if callable(args[0]) else args)

def exit_task(client_socket, state, args):
    pass
"""

# What comes back is what was sent, or whatever `value` says of it.
HEAD = """
import dataclasses, enum, sys
from bgpy import connect

client = connect(f"127.0.0.1:{sys.argv[1]}")

def same(value):
    return value

def back(value):
    [_, found] = client.call((None, value))
    return found
"""

LOCAL = """
def main():
    class Plain:
        pass

    @dataclasses.dataclass
    class Data:
        number: int

    class Kind(enum.Enum):
        ONE = 1

    class Failed(Exception):
        pass

    return Plain(), Data(1), Kind.ONE, Failed("no")

for value in main():
    found = back(value)
    print(type(found) is type(value), end=" ")
"""


@pytest.fixture
def port(start, tmp_path):
    """Return the port of a server that answers with its arguments, and keeps them."""
    file = tmp_path / "echo.py"
    file.write_text(SERVER)
    return start(init_file=file).port


def test_what_is_defined_in_a_function_comes_back_in_every_run(scripts: Scripts, port):
    for _ in range(3):
        assert scripts.run(HEAD + LOCAL, port) == "True " * 4


CELL = """
class Plain:
    def __init__(self, number=1):
        self.number = number

@dataclasses.dataclass
class Data:
    number: int

class Kind(enum.Enum):
    ONE = 1

def work():
    return 1
"""

AGAIN = """
answers = []
for _ in range(3):
    exec(CELL, globals())
    for value in (Plain(), Data(1), Kind.ONE, work):
        # Somebody holds the answers of earlier cells.
        answers.append(back(value))
        own = value is answers[-1] if value is work else type(answers[-1]) is type(value)
        print(own, end=" ")
"""


def test_a_cell_that_is_run_again_gets_objects_of_its_own_classes(scripts: Scripts, port):
    text = f"{HEAD}CELL = {CELL!r}\n{AGAIN}"
    assert scripts.run(text, port) == "True " * 12


# How something is defined, and what is asked of it there.
EDITS = {
    "an attribute that some function sets on others": (
        "class Config:\n    timeout = {}\ndef connect(other):\n    other.timeout = Config.timeout",
        "lambda: Config.timeout",
    ),
    "a global that a function counts": (
        "count = {}\ndef up():\n    global count\n    count += 1\n    return count",
        "up",
    ),
    "a set of members": (
        "class Color(enum.Enum):\n    A = 1\n    B = 2\nallowed = {{Color({})}}",
        "lambda: sorted(it.value for it in allowed)",
    ),
    "an object of a class derived from a number": (
        "class Metres(float):\n    pass\nfar = Metres({})",
        "lambda: float(far)",
    ),
    "a function held by an object of a library": (
        "import functools, collections\nheld = collections.UserList([lambda: {}])",
        "lambda: held[0]()",
    ),
    "a union": (
        "class Child:\n    size = {}\nclass Parent:\n    child: Child | None = None",
        "lambda: Parent.__annotations__['child'].__args__[0].size",
    ),
    "a length that is the most": (
        "import collections\nlast = collections.deque([], {})",
        "lambda: last.maxlen",
    ),
    "a large number": ("number = 2 ** 50_000 + {}", "lambda: number % 10"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_never_missed(scripts: Scripts, port, edit):
    defined, asked = EDITS[edit]
    for number in (1, 2):
        text = f"{HEAD}{defined.format(number)}\nask = {asked}\n"
        text += "there, here = client.call((ask,)), ask()\nprint(there == here)\n"
        # And edited once more, in the same run.
        again = f"{defined.format(3 - number)}\nask = {asked}\n"
        text += f"exec({again!r}, globals())\nprint(client.call((ask,)) == ask())\n"
        assert scripts.run(text, port) == "True\nTrue\n"


OWN_TASKS = """
import sys
from bgpy import Client, Server

class Job:
    tags = []
    limit = 1
    table = [object] * 300

    def run(self):
        return self.limit

def exec_task(client_socket, state, args):
    client_socket.respond((isinstance(args, Job), args))

if __name__ == "__main__":
    with Server() as server:
        client = Client("127.0.0.1", server.port)
        client.initialize(dict, exec_task, print)
        for cell in CELLS:
            exec(cell, globals())
            there, found = client.call(Job())
            if not there or type(found) is not Job:
                print(there, type(found) is Job, "after", cell)
        print("done")
"""

CELLS = [
    "",
    "def f(rows): rows.append(1)",
    "def f(it): it['k'] = 1",
    "def f(it): it.limit = 1",
    "import dataclasses\n@dataclasses.dataclass\nclass Other:\n    n: int",
    "Job.tags.append('b')",
    "Job.run.calls = 0",
    "Job.extra = 1",
    "LEVEL = 2",
    "class Other(Job): pass",
]


def test_a_class_of_tasks_stays_what_it_is(scripts: Scripts):
    """Whatever else the script defines, and whatever state the class has."""
    assert scripts.run(f"CELLS = {CELLS!r}\n{OWN_TASKS}") == "done\n"


MIXED = """
class Kept(list, enum.Enum):
    A = [1, 2]

class Mapped(dict, enum.Enum):
    A = {"a": 1}

class Bytes(bytearray, enum.Enum):
    A = b"xy"

@dataclasses.dataclass
class Pair:
    left: int
    right: int

class Pairs(Pair, enum.Enum):
    A = 1, 2

def there():
    return list(Kept.A), dict(Mapped.A), bytes(Bytes.A), Pairs.A.right

print(client.call((there,)) == there())
"""


def test_members_that_are_containers_arrive_with_their_contents(scripts: Scripts, port):
    assert scripts.run(HEAD + MIXED, port) == "True\n"


UNNAMED_MODULE = """
import types
conf = types.ModuleType("conf")
exec("limit = 4\\ndef get(): return limit", vars(conf))

def there():
    return conf.get(), conf.limit

print(client.call((there,)))
"""


def test_a_module_that_nobody_can_import_travels(scripts: Scripts, port):
    assert scripts.run(HEAD + UNNAMED_MODULE, port) == "(4, 4)\n"


MANY = """
class Base:
    def __init__(self):
        self.ok = True

def make(number):
    class Local(Base):
        mine = number
    return Local

for number in range(100):
    assert client.call((make(number)(), number))[0].mine == number
print(client.status(timeout=20)["pid"])
"""


def test_what_nobody_holds_is_not_kept(scripts: Scripts, start, tmp_path):
    """Classes end with the last that holds them, so that a server does not grow by each call."""
    file = tmp_path / "echo.py"
    file.write_text(SERVER.replace('state["kept"].append(args)', "pass"))
    port = start(init_file=file).port
    scripts.run(HEAD + MANY, port)
    count = """
def count():
    import gc
    gc.collect()
    return sum(isinstance(it, type) and it.__name__ == "Local" for it in gc.get_objects())

print(client.call((count,)))
"""
    assert int(scripts.run(HEAD + count, port)) <= 2
