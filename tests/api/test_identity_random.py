"""A random module means the same in two processes as in one alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.scripts import Scripts

# Each kind of definition: its text, and an expression that uses it and moves its state. `{n}` is
# its own number, `{m}` that of an earlier class, and `{k}` a constant.
KINDS = {
    "class": (
        "class C{n}(C{m}):\n    made = 0\n    log = []\n    def hit(self):\n"
        "        C{n}.made += 1\n        self.log.append({k})\n"
        "        return C{n}.made, self.log, super().hit()\n",
        "C{n}().hit()",
    ),
    "slots": (
        "class C{n}(C{m}):\n    __slots__ = ('__a',)\n    def hit(self):\n"
        "        self.__a = {k}\n        return self.__a, C{m}().hit()\n",
        "C{n}().hit()",
    ),
    "function": (
        "N{n} = 0\ndef f{n}():\n    global N{n}\n    N{n} += {k}\n    return N{n}, C{m}().hit()\n",
        "f{n}()",
    ),
    "cached": (
        "@functools.cache\ndef f{n}(x={k}):\n    CALLS.append({n})\n"
        "    return x, CALLS.count({n})\n",
        "f{n}()",
    ),
    "closure": (
        "def make{n}():\n    total = {k}\n    def up():\n        nonlocal total\n"
        "        total += 1\n        return total, C{m}().hit()\n"
        "    return up\nup{n} = make{n}()\n",
        "up{n}()",
    ),
    "enum": (
        "class E{n}(enum.Enum):\n    A = {k}\n    B = ('b', {n})\n    seen = enum.nonmember([])\n"
        "    def see(self):\n        self.seen.append(self.name)\n        return E{n}.seen\n",
        "E{n}.B.see(), E{n}({k}).name, list(E{n})",
    ),
    "dataclass": (
        "@dataclasses.dataclass(order=True, slots={slots})\nclass D{n}:\n    a: int = {k}\n"
        "    of: type = C{m}\n    more: list = dataclasses.field(default_factory=list)\n"
        "    def hit(self):\n        CALLS.append(self.a)\n"
        "        return len(CALLS), self.of().hit()\n",
        "D{n}(), D{n}().hit(), D{n}() == D{n}()",
    ),
    "error": (
        "class X{n}(Exception):\n    count = 0\n    def __init__(self, *args):\n"
        "        super().__init__(*args)\n        X{n}.count += 1\n",
        "X{n}({k}).args, X{n}.count, issubclass(X{n}, Exception)",
    ),
    "local": (
        "def maker{n}(k):\n    class L:\n        made = []\n        def hit(self):\n"
        "            L.made.append(k)\n            return L.made, C{m}().hit()\n    return L\n"
        "L{n}, K{n} = maker{n}(1), maker{n}(1)\n",
        "L{n}().hit(), K{n}().hit(), L{n} is K{n}",
    ),
    "factory": (
        "def both{n}(total={k}):\n    class A:\n        def hit(self):\n"
        "            nonlocal total\n            total += 1\n            return total, tell()\n"
        "    def tell():\n        return total, C{m}().hit()\n    return A, tell\n"
        "A{n}, tell{n} = both{n}()\n",
        "A{n}().hit(), tell{n}()",
    ),
    "cached class": (
        "@functools.lru_cache\nclass Q{n}(C{m}):\n    def __init__(self, k):\n"
        "        self.k = k\n        CALLS.append(k)\n",
        "Q{n}({k}) is Q{n}({k}), len(CALLS), Q{n}({k}).hit()",
    ),
}
HELD = {"class": "C{n}", "slots": "C{n}", "function": "f{n}", "cached": "f{n}", "closure": "up{n}"}
HELD |= {"enum": "E{n}.B", "dataclass": "D{n}", "error": "X{n}", "local": "K{n}"}
HELD |= {"factory": "tell{n}", "cached class": "Q{n}"}

HEAD = """\
import dataclasses, enum, functools

CALLS = []

class C0:
    made = 0

    def hit(self):
        C0.made += 1
        return C0.made
"""
TASK = """
def exec_task(client_socket, state, args):
    place, held = args
    # Whatever arrives is what is here, and has changed nothing.
    is_own = [one is other for one, other in zip(held, HELD, strict=True)]
    client_socket.respond((repr(USES[place]()), all(is_own), held))
"""
ALONE = "print(json.dumps([repr(USES[place]()) for place in json.loads(sys.argv[1])]))\n"
TOGETHER = """
printed = []
client = Client("127.0.0.1", int(sys.argv[2]))
for place in json.loads(sys.argv[1]):
    told, is_own, back = client.call((place, HELD))
    assert is_own, (place, HELD)
    assert all(one is other for one, other in zip(back, HELD, strict=True)), (back, HELD)
    printed.append(told)
print(json.dumps(printed))
"""


@st.composite
def modules(draw):
    """Draw the text of a module, and the order in which its parts are used."""
    text, uses, held, classes = [HEAD], ["C0().hit()"], ["C0"], [0]
    for n in range(1, draw(st.integers(2, 8))):
        kind = draw(st.sampled_from(sorted(KINDS)))
        numbers = {
            "n": n,
            "m": draw(st.sampled_from(classes)),
            "k": draw(st.integers(2, 9)),
            "slots": draw(st.booleans()),
        }
        text.append(KINDS[kind][0].format(**numbers))
        uses.append(KINDS[kind][1].format(**numbers))
        held.append(HELD[kind].format(**numbers))
        if kind in ("class", "slots"):
            classes.append(n)
    listed = ", ".join(f"lambda: ({use})" for use in uses)
    text.append(f"USES = [{listed}]\nHELD = [{', '.join(held)}]\n")
    order = draw(st.lists(st.integers(0, len(uses) - 1), min_size=3, max_size=10))
    return "\n".join(text), order


@pytest.mark.slow
@pytest.mark.parametrize("way", ["script", "module", "shipped", "file", "spawned"])
def test_a_random_module_means_the_same_as_in_one_process(way, start, tmp_path):
    places = iter(range(1000))

    @settings(
        max_examples=20,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(modules())
    def check(drawn):
        text, order = drawn
        scripts = Scripts(tmp_path / f"scripts{next(places)}")
        order = json.dumps(order)
        try:
            alone = scripts.run("import json, sys\n" + text + ALONE, order)
            assert run(way, text, order, scripts, start).replace("shapes.", "__main__.") == alone
        finally:
            scripts.close()

    check()


def run(way, text, order, scripts, start):
    """Use the module in a server, and return what it says."""
    imports = "import json, sys\nfrom bgpy import Client\n"
    if way == "file":
        tasks = text + TASK + "init_task = dict\nexit_task = print\n"
        server = start(init_file=scripts.write("shapes.py", tasks))
        script = imports + "from shapes import *\n" + TOGETHER
        return scripts.run(script, order, server.port)
    server = start()
    begin = 'Client("127.0.0.1", int(sys.argv[2])).initialize(dict, {}, print)\n'
    if way == "script":
        script = imports + text + TASK + begin.format("exec_task") + TOGETHER
    elif way == "spawned":
        together = "def work():" + TOGETHER.replace("\n", "\n    ")
        script = (
            imports
            + text
            + TASK
            + together
            + (
                "\nif __name__ == '__main__':\n    import multiprocessing\n    "
                + begin.format("exec_task")
                + "    worker = multiprocessing.get_context('spawn').Process(target=work)\n"
                "    worker.start()\n    worker.join()\n    sys.exit(worker.exitcode)\n"
            )
        )
    else:
        scripts.write("shapes.py", text + TASK)
        task = "shapes.exec_task" if way == "shipped" else "lambda *args: shapes.exec_task(*args)"
        script = imports + "import shapes\nfrom shapes import *\n" + begin.format(task) + TOGETHER
    return scripts.run(script, order, server.port)
