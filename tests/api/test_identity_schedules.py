"""Threads that build the same definitions, in every order of their steps that a seed leads to.

One thread runs at a time, and hands over to another one between two bytecode instructions. Which
one, and when, is drawn from a seed, so a failure is repeated by its seed.
"""

from __future__ import annotations

import base64
import json
import pickle
import random
import subprocess
import sys
import threading
import warnings
from textwrap import dedent

import pytest

import bgpy

LIMIT_S = 20
THREADS = 3
SEEDS = 40
HERE = bgpy.__path__[0]

# Each case: definitions, what is sent of them, a change, and what must hold of all that was built.
CASES = {
    "class with a base": (
        """
        class Base:
            log = []
            def base(self):
                return Base, helper(), self.log
        class Twin(Base):
            pass
        def helper():
            return LOG
        LOG = []
        """,
        "[Twin(), Twin, Base]",
        "",
        "[type(it[0]) is it[1] and it[1].__bases__ == (it[2],) and it[0].base() for it in found]",
    ),
    "class that changed": (
        """
        class Twin:
            old, level = [1], [1]
            def method(self):
                return 1
            def gone(self):
                return 1
        """,
        "[Twin]",
        """
        del Twin.old, Twin.gone
        Twin.level, Twin.new = [2], [3]
        Twin.method = lambda self: 2
        """,
        "[(it[0].level, it[0].new, it[0]().method(), hasattr(it[0], 'old'), hasattr(it[0], 'gone'))"
        " == ([2], [3], 2, False, False) for it in found]",
    ),
    "enumeration": (
        """
        import enum
        class Colour(enum.Enum):
            RED = 1
            GREEN = (2, 3)
            def own(self):
                return Colour.RED, Colour((2, 3)), self
        """,
        "[Colour, Colour.GREEN, list(Colour)]",
        "",
        "[it[1].own() == (it[2][0], it[1], it[0].GREEN) and it[2][1] is it[1] and it[0](1) is"
        " it[2][0] and list(it[0]) == it[2] for it in found]",
    ),
    "enumeration of numbers that changed": (
        """
        import enum
        class Level(enum.IntEnum):
            LOW = 1
            HIGH = 2
            def text(self):
                return "1"
        """,
        "[Level, Level.HIGH, list(Level)]",
        "Level.text = lambda self: '2'",
        "[it[1].text() == '2' and list(it[0]) == it[2] and it[0].HIGH is it[1] for it in found]",
    ),
    "sentinel and dataclass": (
        """
        import dataclasses
        MISSING = object()
        @dataclasses.dataclass
        class Box:
            content: object = MISSING
            more: list = dataclasses.field(default_factory=list)
            def is_empty(self):
                return self.content is MISSING
        def check(box=MISSING):
            return box is MISSING
        """,
        "[Box, Box(), check, MISSING]",
        "",
        "[it[1].is_empty() and it[0]().is_empty() and it[2]() and it[2](it[3]) and it[0](it[3])"
        ".is_empty() for it in found]",
    ),
    "recursive functions of a closure": (
        """
        import functools
        def make():
            def even(n):
                return n == 0 or odd(n - 1)
            @functools.cache
            def odd(n):
                return n != 0 and even(n - 1)
            def depth(n):
                return 0 if n == 0 else 1 + depth(n - 1)
            return even, odd, depth
        """,
        "[*make()]",
        "",
        "[it[0](4) and it[1](3) and it[2](5) == 5 for it in found]",
    ),
    "functions with a cache, types and closures": (
        """
        import abc, functools, typing
        class Shape(abc.ABC):
            @abc.abstractmethod
            def area(self): ...
            @functools.lru_cache
            def cached(self):
                return [self.area()]
        class Square(Shape):
            kinds = {}
            def area(self):
                return 1
        class Other: pass
        Shape.register(Other)
        @functools.cache
        def table():
            return {}
        Name = typing.NewType("Name", str)
        Item = typing.TypeVar("Item")
        """,
        "[Shape, Square(), table, Name, Item, Other, Square]",
        "",
        "[it[1].cached() is it[1].cached() and it[2]() is it[2]() and isinstance(it[1], it[0])"
        " and issubclass(it[5], it[0]) for it in found]",
    ),
}

# Writes the messages of one case, for each seed those of definitions of their own.
SENDER = """
import base64, json, sys
from bgpy._by_value import dumps
definitions, sent, change, seeds = json.load(sys.stdin)
messages = []
for seed in range(seeds):
    names = {"__name__": f"schedule_{seed}"}
    exec(definitions, names)
    texts = []
    for step in ("", change) if change else ("",):
        exec(step, names)
        data, buffers, _ = dumps(eval(sent, names), 0)
        texts.append(base64.b64encode(data).decode())
    messages.append(texts)
json.dump(messages, sys.stdout)
"""


class Schedule:
    """Runs functions in threads of which one runs at a time, in an order drawn from a seed."""

    def __init__(self, seed: int, functions: list) -> None:
        self.draw = random.Random(seed)
        # Some orders have long stretches of one thread, others change often.
        self.chance = self.draw.choice((0.003, 0.03, 0.3))
        self.turns = [threading.Semaphore(0) for _ in functions]
        self.alive = list(range(len(functions)))
        self.functions = functions
        self.results: list = [None] * len(functions)
        self.done = threading.Event()

    def run(self) -> list:
        threads = [
            threading.Thread(target=self._thread, args=[it], daemon=True)
            for it in range(len(self.functions))
        ]
        for thread in threads:
            thread.start()
        self.turns[self.draw.choice(self.alive)].release()
        for thread in threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()
        for result in self.results:
            if isinstance(result, BaseException):
                raise result
        return self.results

    def _thread(self, me: int) -> None:
        self.turns[me].acquire()

        def step(frame, event, _):
            if event == "opcode" and self.draw.random() < self.chance:
                self._hand_over(me)
            return step

        def call(frame, event, _):
            if not frame.f_code.co_filename.startswith(HERE):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return step

        sys.settrace(call)
        try:
            self.results[me] = self.functions[me]()
        except BaseException as error:
            self.results[me] = error
        finally:
            sys.settrace(None)
            self.alive.remove(me)
            if self.alive:
                self.turns[self.draw.choice(self.alive)].release()

    def _hand_over(self, me: int) -> None:
        other = self.draw.choice(self.alive)
        if other != me:
            self.turns[other].release()
            self.turns[me].acquire()


def messages_of(case: str, seeds: int) -> list[list[bytes]]:
    definitions, sent, change, _ = CASES[case]
    done = subprocess.run(
        [sys.executable, "-P", "-c", SENDER],
        input=json.dumps([dedent(definitions), sent, dedent(change), seeds]),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [[base64.b64decode(it) for it in texts] for texts in json.loads(done.stdout)]


@pytest.mark.skipif(sys.gettrace() is not None, reason="a debugger or coverage has set a trace")
@pytest.mark.parametrize("case", CASES)
def test_threads_build_the_same(case):
    check = CASES[case][3]
    warm_up, *cases = messages_of(case, 1 + SEEDS)
    # Modules that are imported on demand are imported now: their locks would block a schedule.
    for message in warm_up:
        pickle.loads(message)
    for seed, (*before, last) in enumerate(cases):
        for message in before:
            pickle.loads(message)
        found = Schedule(seed, [lambda last=last: pickle.loads(last)] * THREADS).run()
        held = eval(check, {"found": found})
        assert all(held), (seed, held)
        # What messages one after the other mean as one object is one object for threads as well.
        for *parts, once, again in zip(*found, pickle.loads(last), pickle.loads(last), strict=True):
            # A function whose cells another message fills is not waited for: each gets its own.
            if once is again and "closure" not in case.split(" of a "):
                assert {id(it) for it in parts} == {id(once)}, (seed, parts)


VERSIONS = (
    """
    class Twin:
        old, level = [1], [1]
        def number(self):
            return 1
    """,
    """
    del Twin.old
    Twin.level, Twin.new = [2], [2]
    Twin.number = lambda self: 2
    """,
)


@pytest.mark.skipif(sys.gettrace() is not None, reason="a debugger or coverage has set a trace")
def test_no_class_is_a_mixture_of_two_versions(monkeypatch):
    definitions, change = VERSIONS
    monkeypatch.setitem(CASES, "versions", (definitions, "[Twin]", change, ""))

    def whole(cls):
        has = cls.level[0], cls().number(), hasattr(cls, "old"), hasattr(cls, "new")
        return has in [(1, 1, True, False), (2, 2, False, True)]

    warm_up, *cases = messages_of("versions", 1 + SEEDS)
    for message in warm_up:
        pickle.loads(message)
    for seed, (first, second) in enumerate(cases):
        loads = [lambda it=it: pickle.loads(it) for it in (first, second, second)]
        with warnings.catch_warnings():
            # The second version may become a class of its own.
            warnings.simplefilter("ignore", RuntimeWarning)
            found = Schedule(seed, loads).run()
            last = pickle.loads(second)
        assert all(whole(it[0]) for it in found), seed
        assert last[0]().number() == 2, seed
        assert whole(last[0]), seed


# What two processes have the same of, such as two servers of one file.
TWINS = {
    "enumeration": """
        import enum
        class Twin(enum.IntEnum):
            A = 1
            B = 2
            def other(self):
                return Twin.B if self is Twin.A else Twin.A
        """,
    "class that has an instance": """
        class Twin:
            def same(self):
                return Twin.it is self
        Twin.it = Twin()
        """,
    "generic class": """
        import typing
        T = typing.TypeVar("T")
        class Base(typing.Generic[T]):
            def get(self) -> T: ...
        class Twin(Base[int]):
            pass
        """,
}


@pytest.mark.skipif(sys.gettrace() is not None, reason="a debugger or coverage has set a trace")
@pytest.mark.parametrize("case", TWINS)
def test_threads_build_one_of_what_two_processes_have_sent(monkeypatch, case):
    monkeypatch.setitem(CASES, case, (TWINS[case], "[Twin]", "", ""))
    (warm_up, *one), (_, *other) = (messages_of(case, 1 + SEEDS) for _ in range(2))
    for message in warm_up:
        pickle.loads(message)
    for seed, messages in enumerate(zip(one, other, strict=True)):
        loads = [lambda it=it[-1]: pickle.loads(it) for it in messages * 2]
        found = Schedule(seed, loads).run()
        assert len({id(it[0]) for it in found}) == 1, seed
        if case == "enumeration":
            assert found[0][0].A.other() is found[0][0].B, seed
