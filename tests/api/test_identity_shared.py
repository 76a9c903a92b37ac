"""What was built of a client's module shares its variables, and stays what others know as well."""

from __future__ import annotations

import random
import subprocess

import pytest
from support.scripts import Scripts

SERVER = """
from bgpy import respond

def init_task():
    return {"kept": []}

def exec_task(client_socket, state, args):
    function, *rest = args
    if function == "keep":
        state["kept"].append(rest[0])
        kinds = {type(it) for it in state["kept"]}
        answer = len(set(state["kept"])), len(kinds)
    else:
        answer = function(*rest)
    respond(client_socket, answer)

def exit_task(client_socket, state, args):
    pass
"""

HEAD = """
import dataclasses, enum, sys
from bgpy import connect

client = connect(f"127.0.0.1:{sys.argv[1]}")

def there(*args):
    return client.call(args)
"""


@pytest.fixture
def port(start, tmp_path):
    """Return the port of a server that calls what it gets, or keeps it."""
    file = tmp_path / "calls.py"
    file.write_text(SERVER)
    return start(init_file=file).port


# What is defined, what is called three times, and what it returns: each call begins with the
# variables of here.
SHARED = {
    "a list": (
        """
        found = []
        class Parser:
            def parse(self, text):
                found.append(text)
        def job(text):
            Parser().parse(text)
            return list(found)
        """,
        "job",
        "['0'] ['1'] ['2']",
    ),
    "a variable that a function sets": (
        """
        scale = 1
        class Model:
            def predict(self):
                return scale * 10
        def job(text):
            global scale
            scale = int(text)
            return Model().predict(), scale
        """,
        "job",
        "(0, 0) (10, 1) (20, 2)",
    ),
    "a class that comes later": (
        """
        found = []
        class Writer:
            def write(self, text):
                found.append(text)
        class Reader:
            def read(self):
                return list(found)
        def job(writer, reader, text):
            writer.write(text)
            return reader.read() if reader else None
        """,
        "lambda text: job(Writer(), text != '0' and Reader(), text)",
        "None ['1'] ['2']",
    ),
    "a mark that is told by its identity": (
        """
        UNSET = object()
        class Field:
            def __init__(self, value=UNSET):
                self.value = value
            def is_set(self, other=UNSET):
                return self.value is not UNSET, other is not UNSET
        def job(text):
            return Field().is_set() == made.is_set() == (False, False)
        made = Field()
        """,
        "job",
        "True True True",
    ),
    "what is passed, too": (
        """
        settings = {"x": 0}
        class Reader:
            def read(self):
                return settings["x"]
        def job(text, passed=settings):
            passed["x"] = int(text) + 1
            return Reader().read()
        """,
        "job",
        "1 2 3",
    ),
    "what is gone": (
        """
        class Reader:
            def read(self):
                try:
                    return flag, len("ab")
                except NameError:
                    return None, len("ab")
        flag = 1
        def job(text):
            global flag
            flag = flag
            return Reader().read()
        there(job, "")
        del flag
        len = lambda it: 0
        def job(text):
            return Reader().read()
        there(job, "")
        del len
        """,
        "job",
        "(None, 2) (None, 2) (None, 2)",
    ),
    "variables of a function around both": (
        """
        def make():
            count, found = 0, []
            class Writer:
                def write(self, text):
                    nonlocal count
                    count += 1
                    found.append(text)
            return Writer, lambda: (count, found)
        Writer, look = make()
        def job(text):
            Writer().write(text)
            return look()
        """,
        "job",
        "(1, ['0']) (1, ['1']) (1, ['2'])",
    ),
    "code of no module": (
        """
        space = {"__name__": "__main__"}
        exec("mode = 0\\n"
            "class Reader:\\n"
            "    def read(self): return mode\\n"
            "def job(text):\\n"
            "    global mode\\n"
            "    mode += int(text) + 1\\n"
            "    return Reader().read()\\n", space)
        """,
        "space['job']",
        "1 2 3",
    ),
    "a module without a file": (
        """
        import types
        made = sys.modules["made"] = types.ModuleType("made")
        exec("found = []\\n"
            "class Writer:\\n"
            "    def write(self, text): found.append(text)\\n"
            "def job(text):\\n"
            "    Writer().write(text)\\n"
            "    return list(found)\\n", vars(made))
        """,
        "made.job",
        "['0'] ['1'] ['2']",
    ),
    "what a class method counts": (
        """
        class Pool:
            made = []
            @classmethod
            def make(cls, text):
                cls.made.append(text)
                return len(cls.made), len(Pool.made)
        """,
        "Pool.make",
        "(1, 1) (2, 2) (3, 3)",
    ),
}


@pytest.mark.parametrize("case", SHARED)
def test_a_method_and_a_function_have_the_same_variables(scripts: Scripts, port, case):
    defined, called, seen = SHARED[case]
    defined = "\n".join(line[8:] for line in defined.splitlines())
    text = f"{HEAD}{defined}\nprint(*(there({called}, str(i)) for i in range(3)))\n"
    assert scripts.run(text, port).strip() == seen


TASKS = """
import sys
from bgpy import Server

count = 0

class Counter:
    def up(self):
        global count
        count += 1

def exec_task(client_socket, state, args):
    Counter().up()
    client_socket.respond((count, args()))

def seen():
    return count

if __name__ == "__main__":
    with Server() as server:
        with server.client() as client:
            client.initialize(dict, exec_task, print)
            print(*(client.call(seen) for _ in range(3)))
"""


def test_a_function_has_the_variables_of_the_tasks_of_its_script(scripts: Scripts):
    text = TASKS.replace("server.client()", 'Client("127.0.0.1", server.port)')
    text = text.replace("import Server", "import Client, Server")
    assert scripts.run(text) == "(1, 1) (2, 2) (3, 3)\n"


JOINED = """
class Kind(enum.Enum):
    FAST = 1

@dataclasses.dataclass(frozen=True)
class Job:
    kind: "Kind" = Kind.FAST
    after: "Job | None" = None

for _ in range(3):
    print(there("keep", Job()), end=" ")
"""

# What another script, or another run of the same, sends in between.
OTHERS = {
    "nothing": "",
    "a class that changes": "class Other:\n    n = 1\nfor Other.n in range(3): there(id, Other())",
    "a cell that is run again": "for _ in range(2): exec('class Other: pass'); there(id, Other())",
    "a function twice": "def function(): pass\nfor _ in range(2): there(id, function)",
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_class_that_is_not_edited_is_one_in_all_runs(scripts: Scripts, port, other):
    for _ in range(3):
        assert scripts.run(HEAD + JOINED, port) == "(1, 1) (1, 1) (1, 1) "
        scripts.run(HEAD + OTHERS[other], port)


LIBRARIES = {
    "attrs": "import attrs\n@attrs.frozen\nclass Job:\n    n: int = 1",
    "attrs, hashed": "import attrs\n@attrs.define(unsafe_hash=True)\nclass Job:\n    n: int = 1",
    "msgspec": "import msgspec\nclass Job(msgspec.Struct, frozen=True):\n    n: int = 1",
    "pydantic": (
        "import pydantic\nclass Job(pydantic.BaseModel, frozen=True):\n    n: 'Job | None' = None"
    ),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_class_of_a_library_is_one_in_all_runs(scripts: Scripts, port, library):
    pytest.importorskip(library.partition(",")[0])
    for _ in range(2):
        text = f"{HEAD}{LIBRARIES[library]}\nprint(there('keep', Job()))"
        assert scripts.run(text, port) == "(1, 1)\n"


# A class, what happens to it here after it was sent, and what is asked of it then, here and there.
CHANGES = {
    "a variable that a method of an enumeration uses": (
        "names = {}\nclass Kind(enum.Enum):\n    A = 1\n    def label(self): return names.get(1)",
        "names[1] = 'one'",
        "Kind.A.label()",
    ),
    "an attribute of an enumeration and of a member": (
        "class Kind(enum.Enum):\n    A = 1",
        "Kind.default = Kind.A; Kind.A.color = 'red'",
        "(Kind.default, Kind.A.color)",
    ),
    "a variable of a function around it": (
        "def make():\n    scale = 1\n    class Kind:\n        def get(self): return scale\n"
        "    def set():\n        nonlocal scale\n        scale = 2\n    return Kind, set\n"
        "Kind, set = make()",
        "set()",
        "Kind().get()",
    ),
    "an attribute that is deleted": (
        "class Kind:\n    extra = 1",
        "del Kind.extra",
        "hasattr(Kind, 'extra')",
    ),
    "a method of a base that is patched for a while": (
        "class Base:\n    def get(self): return 1\nclass Kind(Base): pass\n"
        "Kind.get = lambda self: 2\nthere(ask)",
        "del Kind.get",
        "Kind().get()",
    ),
    "a base of what asks for its base": (
        "class Base:\n    def get(self): return 1\nclass Kind(Base):\n"
        "    def get(self): return super().get()",
        "Base.get = lambda self: 2",
        "Kind().get()",
    ),
    "another base": (
        "class Base:\n    n = 1\nclass Other:\n    n = 2\nclass Kind(Base):\n    pass",
        "Kind.__bases__ = (Other,)",
        "(Kind.n, isinstance(Kind(), Other))",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_at_the_client_arrives(scripts: Scripts, port, change):
    defined, done, asked = CHANGES[change]
    text = f"{HEAD}def ask(): return {asked}\n{defined}\nthere(id, Kind)\n{done}\n"
    text += "print(there(ask) == ask())"
    assert scripts.run(text, port) == "True\n"


STATE = """
class Model:
    scale = 1
    rows = []

def train(scale):
    Model.scale = scale
    Model.rows.append(scale)

def seen():
    return Model.scale, Model.rows, getattr(Model, "name", None)

there(train, 10)
Model.name = "a"
print(there(seen))
Model.scale = 2
print(there(seen))
"""


def test_only_what_the_client_has_changed_is_changed(scripts: Scripts, port):
    assert scripts.run(HEAD + STATE, port) == "(10, [10], 'a')\n(2, [10], 'a')\n"


CROWD = """
import random

chance = random.Random(sys.argv[2])

class Meta(type):
    tag = "m"

class Base:
    level = 1
    def who(self):
        return "base", self.level

class Middle(Base):
    pass

class Last(Middle, metaclass=Meta):
    def who(self):
        return "last", *super().who()

class Kind(enum.Enum):
    A = 1
    def label(self):
        return names.get(1), limit

names, limit = {}, 1
held = {"k": Base}

ASKED = {
    "last": lambda: (Last().who(), Last.__mro__[1:-1] == (Middle, Base), type(Last) is Meta),
    "middle": lambda: (Middle().who(), Middle.level, isinstance(Last(), Middle)),
    "meta": lambda: (type(Last).tag, Meta.tag),
    "kind": lambda: (Kind.A.label(), Kind(1) is Kind.A),
    "held": lambda: sorted((key, it.__name__, it.level) for key, it in held.items()),
}

def ask(name):
    return ASKED[name]()

def change(number):
    global limit
    what = chance.randrange(6)
    if what == 0:
        chance.choice([Base, Middle, Last]).level = number
    elif what == 1:
        chance.choice([Base, Middle]).who = lambda self: ("other", number, self.level)
    elif what == 2:
        Meta.tag = number
    elif what == 3:
        names[1] = number
    elif what == 4:
        limit = number
    else:
        held[f"k{number % 3}"] = chance.choice([Base, Last])

for number, name in enumerate(sys.stdin):
    if number % 4 == 3:
        change(number)
    name = name.strip()
    print(repr(ask(name)) == repr(there(ask, name)), flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_each_of_several_clients_sees_its_own_changes(scripts: Scripts, port, seed):
    """The same script runs three times at once, and each run changes what it has."""
    chance = random.Random(seed)
    options = {"stdin": subprocess.PIPE}
    crowd = [scripts.spawn(HEAD + CROWD, port, seed * 3 + i, **options) for i in range(3)]
    for step in range(90):
        client, name = (
            chance.choice(crowd),
            chance.choice(["last", "middle", "meta", "kind", "held"]),
        )
        client.stdin.write(f"{name}\n")
        client.stdin.flush()
        assert client.stdout.readline() == "True\n", (step, name)
