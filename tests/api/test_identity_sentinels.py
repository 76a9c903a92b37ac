"""Objects that code compares by identity stay the same ones, in all that is sent."""

from __future__ import annotations

import operator
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent

import pytest

from bgpy._code import sentinels, table

# Tasks of the same script, so that what is sent later shares its variables.
RUN = """
from bgpy import Server, connect, respond, start
import dataclasses, enum, functools

class Sentinel:
    pass

PLAIN, OWN, LIST = object(), Sentinel(), []

def exec_task(client_socket, state, args):
    function, *rest = args
    if function == "keep":
        state.setdefault("kept", []).extend(rest)
        respond(client_socket, None)
    elif function == "kept":
        respond(client_socket, [it() for it in state["kept"]])
    else:
        respond(client_socket, function(*rest))

{definitions}

if __name__ == "__main__":
    with start((dict, exec_task, lambda *_: None)) as server:
        client = connect(server.target)
        there = lambda *args: client.call(args)
        {use}
"""

# What is defined, with the number of the case for $, and what is true whenever it is called there.
SAME = {
    "default": ("def f$(x=NAME): return x is NAME", "f$"),
    "keyword default": ("def f$(*, x=NAME): return x is NAME", "f$"),
    "default that no code mentions": ("def f$(x=NAME): return x is globals()['NAME']", "f$"),
    "attribute of a function": ("def f$(): return f$.it is NAME\nf$.it = NAME", "f$"),
    "partial": ("f$ = functools.partial(lambda it: it is NAME, NAME)", "f$"),
    "attribute of a class": (
        "class A$:\n it = NAME\n def f(self): return self.it is A$.it is NAME",
        "A$().f",
    ),
    "default of a method": ("class A$:\n def f(self, it=NAME): return it is NAME", "A$().f"),
    "class method": (
        "class A$:\n @classmethod\n def f(cls, it=NAME): return it is NAME",
        "A$.f",
    ),
    "static method": ("class A$:\n @staticmethod\n def f(it=NAME): return it is NAME", "A$.f"),
    "dataclass": (
        "@dataclasses.dataclass\nclass A$:\n"
        " it: object = NAME\n def f(self): return self.it is NAME",
        "A$().f",
    ),
    "enumeration": (
        "class A$(enum.Enum):\n B = NAME\n def f(self): return self.value is NAME",
        "A$.B.f",
    ),
    "exception": ("class A$(Exception):\n it = NAME\ndef f$(): return A$.it is NAME", "f$"),
    "annotation": ("def f$(it: NAME = None): return f$.__annotations__['it'] is NAME", "f$"),
    "cached": ("@functools.lru_cache\ndef f$(it=NAME): return it is NAME", "f$"),
    "dispatched": (
        "@functools.singledispatch\ndef g$(_, it=NAME): return it is NAME\n"
        "f$ = functools.partial(g$, 1)",
        "f$",
    ),
    "inner function": ("def f$():\n def g(it=NAME): return it is NAME\n return g()", "f$"),
    "variable of an enclosing function": (
        "def make$():\n it = NAME\n def f(other=it): return other is it is NAME\n return f\n"
        "f$ = make$()",
        "f$",
    ),
}
# What has a state is a copy where it is an argument, as that of a partial.
SAME_LISTS = ["default", "keyword default", "attribute of a function", "default of a method"]


def run(scripts, definitions, *use):
    text = RUN.replace("{use}", "\n        ".join(use))
    return scripts.run(text.replace("{definitions}", dedent(definitions))).splitlines()


@pytest.mark.parametrize("name", ["PLAIN", "OWN"])
def test_what_code_shares_stays_shared(scripts, name):
    """In any order and as often as it is sent."""
    cases = [[it.replace("$", str(at)) for it in case] for at, case in enumerate(SAME.values())]
    definitions = "\n".join(code for code, _ in cases).replace("NAME", name)
    use = f"for _ in range(3): print(*map(there, [{', '.join(made for _, made in cases)}]))"
    assert run(scripts, definitions, use) == [" ".join(["True"] * len(cases))] * 3


@pytest.mark.parametrize("case", SAME_LISTS)
def test_a_list_that_code_shares_stays_shared(scripts, case):
    code, made = (it.replace("$", "").replace("NAME", "LIST") for it in SAME[case])
    code = code.replace("return ", "LIST.append(1); return ", 1)
    use = f"print(*[there({made}) for _ in range(3)])"
    assert run(scripts, code, use) == ["True True True"]


@pytest.mark.parametrize("name", ["PLAIN", "OWN"])
def test_an_argument_is_the_one_that_code_means(scripts, name):
    code = f"def f(it, other={name}): return it is {name} is other"
    use = [
        f"print(there(f, {name}), there(f, object()), there(f, {name}))",
        f"print(there(lambda it: it, {name}) is {name})",
    ]
    assert run(scripts, code, *use) == ["True False True", "True"]


def test_what_is_kept_there_stays_as_it_is(scripts):
    """Whatever other clients send: of the same process, and of another one."""
    code = "def f(it=PLAIN, own=OWN): return it is PLAIN and own is OWN"
    use = [
        'there("keep", f)',
        "other = connect(server.target)",
        "print(other.call((f,)), there(f))",
        'other.call(("keep", f))',
        "import multiprocessing",
        'with multiprocessing.get_context("spawn").Pool(1) as pool:',
        "    print(pool.apply(from_elsewhere, (server.target,)))",
        'print(there("kept"))',
    ]
    code += "\ndef from_elsewhere(target): return connect(target).call((f,))\n"
    assert run(scripts, code, *use) == ["True True", "True", "[True, True]"]


def test_an_object_that_has_got_a_state_is_sent_anew(scripts):
    code = """
    def mark(it):
        before = hasattr(it, "mark")
        it.mark = 1
        return before, it is OWN
    """
    use = ["print(there(mark, OWN), there(mark, OWN))", "OWN.here = 2", "print(there(mark, OWN))"]
    # The last one is new, and so is the variable.
    assert run(scripts, code, *use) == ["(False, True) (False, False)", "(False, True)"]


@pytest.mark.parametrize("kind", [object, type("Sentinel", (), {})])
def test_threads_that_send_or_build_one_at_once_mean_the_same(kind):
    sent = kind()
    sentinels.note([sent])
    with ThreadPoolExecutor(8) as threads:
        for _ in range(50):
            origins = {origin for _, (origin, _) in threads.map(sentinels.reduce, [sent] * 16)}
            assert len(origins) == 1
            strange = table.new_origin()
            made = list(threads.map(lambda _, it=strange: sentinels.sentinel(it, kind), range(16)))
            assert len(set(map(id, made))) == 1


# What passes between two uses of a sentinel, which the client or the server may hold as well.
PASSING = {
    "one message": "there(len, [object() for _ in range(9000)])",
    "one after the other": "for _ in range(9): there(len, [object() for _ in range(1000)])",
    "some that are held": "held = [object() for _ in range(9000)]; there(keep, held)",
    "some that come from there": "there(lambda: [object() for _ in range(9000)])",
}


@pytest.mark.parametrize("passing", PASSING)
def test_a_sentinel_is_known_whatever_passes(scripts, passing):
    code = """
    held = []
    def keep(them): held.append(them)
    def f(it, other=PLAIN): return it is PLAIN is other
    class A:
        it = PLAIN
        def f(self): return self.it is PLAIN
    """
    ask = "print(there(f, PLAIN), there(A().f), there(lambda it: it, PLAIN) is PLAIN)"
    assert run(scripts, code, ask, *[PASSING[passing], ask] * 2) == ["True True True"] * 3


@pytest.mark.parametrize("is_sent", [True, False])
def test_plain_objects_that_nobody_holds_take_no_memory(is_sent):
    """However many there are, and however many others are held in the meantime."""

    def note(number):
        made = [object() for _ in range(number)]
        if is_sent:
            return made, [sentinels.reduce(it)[1] for it in made]
        parts = [(table.new_origin(), object) for _ in made]
        return [sentinels.sentinel(*it) for it in parts], parts

    held, parts = note(20_000)
    for _ in range(50):
        note(2_000)
    assert all(map(operator.is_, held, [sentinels.sentinel(*it) for it in parts]))
    assert len(sentinels._plain) <= 2 * len(held) + 4_096
    del held
    for _ in range(50):
        note(2_000)
    assert len(sentinels._plain) <= 2 * 4_096
    assert len(sentinels._plain) == len(sentinels._plain_by_origin) == len(sentinels._turns)


SINGLETON = """
class Single:
    _only = None
    def __new__(cls):
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only
class Called(Single):
    _only = None
    def __reduce__(self):
        return Called, ()
class Pool:
    _pool = {}
    def __new__(cls, key):
        return cls._pool.setdefault(key, super().__new__(cls))
    def __init__(self, key):
        self.key = key
    def __getnewargs__(self):
        return (self.key,)
single, called, pooled = Single(), Called(), Pool("a")
single.data = [1]
def same(it):
    return it is (type(it)("a") if type(it) is Pool else type(it)())
"""


@pytest.mark.parametrize("name", ["single", "called", "pooled"])
def test_a_class_whose_new_looks_for_its_instance(scripts, name):
    use = [
        f"print(*[there(same, {name}) for _ in range(3)])",
        f"print(there(lambda it: it, {name}) is {name}, vars({name}) == there(vars, {name}))",
    ]
    assert run(scripts, SINGLETON, *use) == ["True True True", "True True"]


def test_a_class_that_answers_every_name(scripts):
    code = """
    class Any:
        __slots__ = ("it",)
        def __getattr__(self, name):
            if name == "__setstate__":
                raise AttributeError(name)
            return 3
    made = Any()
    made.it = 1
    """
    assert run(scripts, code, "print(there(lambda it: (it.it, it.other), made))") == ["(1, 3)"]
