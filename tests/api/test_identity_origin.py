"""What a process sends comes back as its own: in each run, after edits, whatever else changes."""

from __future__ import annotations

import pytest
from support.scripts import Scripts

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


LOOP = """
def make(number):
    class Model:
        mine = number
        seen = []
    return Model

models = {}
for number in range(3):
    model = make(number)
    models[number] = model()

def look(model):
    model.seen.append(model.mine)
    return list(model.seen)

for number in (0, 1, 2, 0):
    found = back(models[number])
    print(type(found) is type(models[number]), client.call((look, models[number])), end=" ")
"""


def test_classes_that_one_variable_held_are_not_one(scripts: Scripts, port):
    printed = scripts.run(HEAD + LOOP, port)
    assert printed == "True [0] True [1] True [2] True [0, 0] "


MEMBERS = """
lang = "en"
counted = {}

class Color(enum.Enum):
    RED = 1

    def word(self):
        counted[lang] = counted.get(lang, 0) + 1
        return lang

first = Color.RED
for lang in ("de", "fr", "it"):
    first.word()
    print(back(Color.RED) is first, client.call(None), end=" ")
"""


def test_members_stay_the_same_whatever_their_methods_reach(scripts: Scripts, start, tmp_path):
    file = tmp_path / "echo.py"
    keeps = "respond(client_socket, len(set(state['kept'])) if args is None else args)"
    file.write_text(
        SERVER.partition("    state[")[0]
        + f"""
    if args is not None:
        state["kept"].append(args[1])
    {keeps}

def exit_task(client_socket, state, args):
    pass
"""
    )
    assert scripts.run(HEAD + MEMBERS, start(init_file=file).port) == "True 1 " * 3


SHARED = """
class Config:
    limit = 10

class Base:
    def go(self):
        return "as written"

class Job:
    def run(self):
        return Config.limit

class Sub(Base):
    pass

def there():
    return Job().run(), Sub().go(), isinstance(Sub(), Base)

print(client.call((there,)))
if sys.argv[2] == "changes":
    Config.limit = 20
    Base.go = lambda self: "patched"
    back((Config(), Base()))
    print(client.call((there,)))
"""


def test_another_run_gets_nothing_of_what_a_first_one_has_changed(scripts: Scripts, port):
    as_written, patched = "(10, 'as written', True)\n", "(20, 'patched', True)\n"
    assert scripts.run(HEAD + SHARED, port, "changes") == as_written + patched
    assert scripts.run(HEAD + SHARED, port, "does not") == as_written


COUNTS = """
import subprocess

class Job:
    count = 0

    def __init__(self):
        Job.count += 1

def show(job):
    return type(job).count

if len(sys.argv) == 3:
    Job()
    back(Job())
else:
    for number in range(3):
        subprocess.run([sys.executable, __file__, sys.argv[1], "other"], check=True)
        job = Job()
        found = back(job)
        print(type(found) is Job, client.call((show, job)) == Job.count, end=" ")
"""


def test_two_runs_that_count_do_not_disturb_each_other(scripts: Scripts, port):
    assert scripts.run(HEAD + COUNTS, port) == "True True " * 3


STALE = """
class Thing:
    version = 1

def version(it):
    return type(it).version

copy = back(Thing())
taken = subprocess.Popen(
    [sys.executable, "-c", FORWARDER, sys.argv[1]],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
)
assert taken.stdout.readline() == "taken\\n"
Thing.version = 2
print(client.call((version, Thing())), end=" ")
taken.communicate("send it back\\n")
print(client.call((version, Thing())))
"""

FORWARDER = """
import sys
from bgpy import connect

client = connect(f"127.0.0.1:{sys.argv[1]}")
kept = client.call("last")
print("taken", flush=True)
sys.stdin.readline()
client.call(("keep", kept))
"""


def test_who_sends_back_an_old_copy_changes_nothing(scripts: Scripts, start, tmp_path):
    file = tmp_path / "echo.py"
    file.write_text(
        SERVER.replace(
            'state["kept"].append(args)',
            'if args == "last":\n'
            '        return respond(client_socket, state["kept"][-1])\n'
            '    state["kept"] += [it for it in args if type(it).__name__ == "Thing"]',
        )
    )
    text = f"import subprocess\nFORWARDER = {FORWARDER!r}\n{STALE}"
    assert scripts.run(HEAD + text, start(init_file=file).port) == "2 2\n"
