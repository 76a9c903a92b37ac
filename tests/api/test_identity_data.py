"""Data that code uses counts: what has the same code is not taken for the same."""

from __future__ import annotations

import functools
import gc
from typing import ClassVar

import pytest
from support.scripts import Scripts

from bgpy import Client

HOST = "127.0.0.1"

TASKS = """
from bgpy import respond

def init_task():
    return {"kept": []}

def exec_task(client_socket, state, args):
    if args[0] == "keep":
        state["kept"].append(args[1])
        respond(client_socket, [isinstance(args[1], type(kept)) for kept in state["kept"]])
    else:
        respond(client_socket, args[0](*args[1:]))

def exit_task(client_socket, state, args):
    pass
"""


@pytest.fixture
def run(start, tmp_path):
    file = tmp_path / "anything.py"
    file.write_text(TASKS)
    with Client(HOST, start(init_file=file).port) as client:
        yield lambda *args: client.call(args)


def closure(data):
    return lambda: data[0]


def cached(data):
    return functools.cache(lambda: data[0])


def method(data):
    class Table:
        def rows(self):
            return data[0]

    return lambda: Table().rows()


def attribute(data):
    class Table:
        rows = data

    return lambda: Table.rows[0]


def made(data):
    return functools.partial(
        lambda cls: cls.data["rows"], type("Made", (), {"data": {"rows": data}})
    )


@pytest.mark.parametrize("make", [closure, cached, method, attribute])
def test_what_a_factory_makes_has_its_own_data(run, make):
    assert [run(make([n])) for n in range(5)] == list(range(5))
    found = []
    for n in range(5):
        found.append(run(make([n])))
        gc.collect()
    kept = [make([n]) for n in range(5)]
    assert (found, [run(function) for function in kept]) == (list(range(5)), list(range(5)))


def test_classes_made_without_a_statement_have_their_own_data(run):
    assert [run(made(n)) for n in range(5)] == list(range(5))


def counter():
    count = 0

    def up():
        nonlocal count
        count += 1

    return up, lambda: count


def count_up(up, get, times):
    for _ in range(times):
        up()
    return get()


def test_functions_that_share_a_variable_start_where_they_are(run):
    assert [run(count_up, *counter(), times) for times in (3, 1, 2)] == [3, 1, 2]


CHANGING = """
import sys
import bgpy

VERBOSE = False

class Job:
    limit = 1
    options = {"a": 1}

    def get(self):
        return self.limit, self.options["a"], VERBOSE

    @staticmethod
    def make():
        return Job()

with bgpy.connect(sys.argv[1]) as client:
    def run(*args):
        return client.call(args)

    print(run("keep", Job()), run(lambda job: job.get(), Job()))
    print(run(lambda it: it, Job.get) is Job.get, run(lambda it: it, Job.make) is Job.make)
    Job.limit, VERBOSE = 2, True
    Job.options["a"] = 2
    print(run(lambda job: job.get(), Job()))
    Job.get = lambda self: "patched"
    Job.more = lambda self: "added"
    print(run(lambda job: (job.get(), job.more()), Job()), run("keep", Job()))
"""


def test_a_class_changes_on_the_server_as_where_it_is_from(scripts: Scripts, start):
    start(init_file=scripts.write("anything.py", TASKS), name="changing")
    assert scripts.run(CHANGING, "changing").splitlines() == [
        "[True] (1, 1, False)",
        "True True",
        "(2, 2, True)",
        "('patched', 'added') [True, True]",
    ]


EDITED = """
import sys, enum, functools, dataclasses
import bgpy

WORD = [sys.argv[2]]
HANDLERS = {"a": lambda: WORD[0]}

class Uses:
    def get(self):
        return HANDLERS["a"]()

class Holds:
    words = {"a": WORD}

    def get(self):
        return self.words["a"][0]

@dataclasses.dataclass
class Makes:
    words: list = dataclasses.field(default_factory=lambda: list(WORD))

    def get(self):
        return Makes().words[0]

class Changes:
    def get(self):
        some = {}
        some["a"] = self.word
        return some["a"]

Changes.word = sys.argv[2]

class Kind(enum.Enum):
    A = WORD

    def get(self):
        return self.value[0]

@functools.singledispatch
def show(value):
    return "none"

@show.register
def _(value: int):
    return WORD[0]

class Shows:
    def get(self):
        return show(1)

with bgpy.connect(sys.argv[1]) as client:
    for one in (Uses(), Holds(), Makes(), Changes(), Kind.A, Shows()):
        print(client.call((type(one).get, one)))
"""


def test_another_run_of_a_script_brings_its_own_data(scripts: Scripts, start):
    file = scripts.write("anything.py", TASKS)
    start(init_file=file, name="edited")
    for word in ("one", "two", "one"):
        printed = scripts.run(EDITED, "edited", word)
        assert printed.split() == [word] * 6


TABLE = """
import functools

TABLE = {table}

def decorated(function):
    @functools.wraps(function)
    def around(*args):
        return function(*args)
    return around

def get():
    return TABLE["a"]

class Reader:
    def get(self):
        return TABLE["a"]

def put(value):
    TABLE["b"] = value

@decorated
def both():
    return TABLE["a"], TABLE.get("b")
"""
SHIPPED = """
import sys
import bgpy, helper

inner = helper.both.__wrapped__
from helper import Reader, both, get, put

def exec_task(client_socket, state, args):
    put("put")
    own = get(), Reader().get(), helper.get(), helper.TABLE["a"]
    bgpy.respond(client_socket, (*own, both(), inner()[0]))

with bgpy.Client("127.0.0.1", int(sys.argv[1])) as client:
    client.initialize(dict, exec_task, print)
    print(client.call(None))
"""


@pytest.mark.parametrize("theirs", ["here", "there"])
def test_tasks_mean_the_data_of_their_modules(scripts: Scripts, tmp_path, theirs):
    begin = "import bgpy\nserver = bgpy.Server('127.0.0.1', 0)\nserver.run_background()\n"
    scripts.write("helper.py", TABLE.format(table={"a": theirs}))
    port = int(scripts.run(begin + "import helper\nprint(server.port)"))
    scripts.write("helper.py", TABLE.format(table={"a": "here"}))
    printed = scripts.run(SHIPPED, port)
    assert printed.strip() == "('here', 'here', 'here', 'here', ('here', 'put'), 'here')"


PATCHED = """
import enum, sys
import bgpy

def make():
    class Kind(enum.Enum):
        A = 1

        def is_own(self):
            return self is Kind.A

    return Kind

def work(new):
    kept = sys.__dict__.setdefault("kept_here", [])
    kept.append(new)
    return [each.is_own() for each in kept], len({type(each) for each in kept})

Kind = make()
with bgpy.connect(sys.argv[1]) as client:
    print(client.call((work, Kind.A)))
    Kind.more = lambda self: "more"
    print(client.call((work, Kind.A)))
"""


def test_what_is_kept_of_an_enumeration_goes_on_when_it_becomes_another(scripts: Scripts, start):
    start(init_file=scripts.write("anything.py", TASKS), name="patched")
    assert scripts.run(PATCHED, "patched") == "([True], 1)\n([True, True], 2)\n"


COLORS = "import enum\nclass Color(enum.Enum):\n    RED = {red}\n    BLUE = 2\n{more}"


def test_members_of_an_edited_enumeration_are_known_by_their_names(scripts: Scripts, start):
    ask = """
        import sys
        import bgpy, colors

        with bgpy.connect(sys.argv[1]) as client:
            for color in colors.Color:
                try:
                    print(client.call((repr, color)))
                except bgpy.SerializationError as error:
                    print(error)
    """
    scripts.write("colors.py", COLORS.format(red=1, more=""))
    file = scripts.write("anything.py", "import colors\n" + TASKS)
    start(init_file=file, name="colors")
    scripts.write("colors.py", COLORS.format(red="'red'", more="    GREEN = 3\n"))
    red, blue, *green = scripts.run(ask, "colors").splitlines()
    assert (red, blue) == ("<Color.RED: 1>", "<Color.BLUE: 2>")
    assert "colors.Color has no member 'GREEN' here" in green[0]


def test_large_data_of_a_class_stays_unless_it_has_changed_where_the_class_is_from(run):
    class Item:
        def __init__(self, number):
            self.number = number

    class Table:
        # More than is looked into one by one.
        rows: ClassVar = [Item(number) for number in range(5_000)]
        by_number: ClassVar = {number: Item(number) for number in range(500)}
        version = 0

        @classmethod
        def seen(cls):
            return cls.rows[0].number, cls.by_number[0].number, cls.version

        @classmethod
        def change(cls):
            cls.rows[0].number = cls.by_number[0].number = "changed on the server"
            return cls.seen()

    def seen(cls):
        return cls.seen()

    def change(cls):
        return cls.change()

    assert run(change, Table)[0] == "changed on the server"
    Table.version = 1
    assert run(seen, Table) == ("changed on the server", "changed on the server", 1)
    Table.rows[1].number = "changed at the client"
    assert run(seen, Table) == (0, "changed on the server", 1)
