"""A digest is never older than what it tells: nothing that changed between two calls is missed."""

from __future__ import annotations

import functools
import itertools
import string
import sys
import types

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpy._code import snapshot
from bgpy._code.content import Content

MODULE = """
import abc, dataclasses, enum, functools, os.path, string, typing
import {helper} as beside
from {helper} import aid
from string import capwords

FACTOR, TEXT, PAIR = 3, "text", (1, [2])
TABLE, NESTED, NUMBERS = {{"a": 1}}, {{"a": [1]}}, [1, 2]
META = {{}}

def helper(x, by=2, *, more=5, many=[1]):
    return x * FACTOR + by + more + aid(x) + beside.LIMIT + PAIR[0] + TABLE["a"]

def lonely():
    return 1

def counter():
    total = 0
    def up():
        nonlocal total
        total += 1
        return total
    return up, lambda: total

up, get = counter()

def around(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args), TEXT
    return inner

@around
def wrapped(x):
    return helper(x), NESTED["a"], capwords, os.path.join

class Base(abc.ABC):
    limit = 1
    def work(self):
        return self.limit

class Other(abc.ABC):
    def work(self):
        return 7

class Kind(Base):
    size = 2
    shared = NUMBERS
    pair = PAIR
    made: int = 0
    def __init__(self, x=FACTOR):
        self.x = x
    def work(self):
        return super().work() + helper(self.x)
    @property
    def half(self):
        return self.size / 2
    @staticmethod
    def still(x=1):
        return TABLE["a"] + x
    @classmethod
    def of(cls):
        return cls(up())
    class Inner:
        depth = 1

@dataclasses.dataclass
class Data:
    a: int = 1
    b: "Data | None" = None
    c: list = dataclasses.field(default_factory=list, metadata=META)
    d: typing.Optional[Kind] = None
    e: int | Kind = 4
    def run(self):
        return self.a, TEXT

class Color(enum.Enum):
    RED = 1
    BLUE = (2, "b")
    def tell(self):
        return self.name + TEXT

@functools.cache
def cached(x):
    return helper(x)

part = functools.partial(helper, 1, by=3)

def uses():
    return Kind, Data(), Color.RED, cached(1), part(), lonely(), wrapped, get
"""
HELPER = """
LIMIT = 10
LEVELS = [1]

def aid(x):
    return x + LIMIT + len(LEVELS)
"""

# What a change is: the code that does it, with `m` for the module and `n` for a new number.
CHANGES = [
    "m.FACTOR = n",
    "m.TEXT = str(n)",
    "m.PAIR[1].append(n)",
    "m.PAIR = (n, [n])",
    "m.TABLE['a'] = n",
    "m.TABLE[n] = m.Kind",
    "m.NESTED['a'].append(n)",
    "m.NESTED['a'] = m.NESTED['a'] * 2",
    "m.NUMBERS.append(n)",
    "m.NUMBERS[0] = str(n)",
    "m.META[n] = n",
    "m.helper.__defaults__ = (n,)",
    "m.helper.__kwdefaults__['more'] = n",
    "m.helper.__kwdefaults__['many'].append(n)",
    "m.helper.__code__ = m.lonely.__code__.replace(co_consts=(None, n))",
    "m.helper = lambda x, by=0: n",
    "m.helper = m.lonely",
    "m.helper.__name__ = f'helper{n}'",
    "m.helper.mark = n",
    "m.wrapped.__wrapped__ = m.lonely",
    "m.wrapped = m.around(m.lonely)",
    "m.up.__closure__[0].cell_contents = n",
    "m.up()",
    "m.wrapped.__closure__[0].cell_contents = m.lonely",
    "m.get = m.counter()[1]",
    "m.lonely = eval(f'lambda: {n}')",
    "m.Base.limit = n",
    "m.Base.extra = n",
    "m.Base.work = lambda self: n",
    # Held, because the registry does not hold it.
    "vars(m)['R'] = [*vars(m).get('R', ()), type('R', (), {})]; m.Base.register(m.R[-1])",
    "m.Kind.__bases__ = (m.Other,)",
    "m.Kind.size = n",
    "m.Kind.shared = [n]",
    "m.Kind.more = n",
    "del m.Kind.made",
    "m.Kind.__qualname__ = f'Kind{n}'",
    "m.Kind.__init__.__defaults__ = (n,)",
    "m.Kind.half = property(lambda self: n)",
    "m.Kind.half.fget.__code__ = m.lonely.__code__.replace(co_consts=(None, n))",
    "m.Kind.still = staticmethod(lambda x=1: n)",
    "m.Kind.still.__defaults__ = (n,)",
    "m.Kind.of = classmethod(lambda cls: n)",
    "m.Kind.Inner.depth = n",
    "m.Kind.Inner = type('Inner', (), {'depth': n})",
    "m.Kind.__annotations__['made'] = str(n)",
    "m.Kind.__annotations__[str(n)] = int",
    "m.Data.__dataclass_fields__['a'].default = n",
    "m.Data.__dataclass_fields__['a'].repr = n",
    "m.Data.__dataclass_fields__['c'].default_factory = lambda: n",
    "m.Data.__dataclass_fields__[str(n)] = n",
    "m.Data.__dataclass_params__.frozen = n",
    "m.Data.a = n",
    "m.Data.run = lambda self: n",
    "m.Data.__init__ = lambda self: None",
    "m.Data.__eq__.__code__ = m.lonely.__code__.replace(co_consts=(None, n))",
    "m.Color._value2member_map_[n] = m.Color.RED",
    "m.Color.RED._value_ = n",
    "m.Color.tell = lambda self: n",
    "m.Color._member_map_[f'M{n}'] = m.Color.BLUE",
    "m.cached = functools.cache(lambda x: n)",
    "m.part.keywords['by'] = n",
    "m.part = functools.partial(m.helper, n)",
    "m.aid = m.lonely",
    "m.aid.__defaults__ = (n,)",
    "m.beside.LIMIT = n",
    "m.beside.LEVELS.append(n)",
    "m.beside.aid = lambda x: n",
    "m.beside.more = n",
    "m.beside = types.ModuleType('other')",
    # What other code of the module does makes state of what was data.
    "exec('def writes():\\n    global FACTOR\\n    FACTOR = 1', vars(m))",
    "exec('def sets(cls):\\n    cls.size = 1', vars(m))",
    "m.Kind.writes = eval('lambda: TABLE.update(a=1)', vars(m))",
    "m.lonely.__code__ = (lambda: NUMBERS.clear()).__code__",
    # What is told by its name is no longer found there.
    "setattr(m.string, 'capwords', m.lonely)",
]
# Changes that make no difference, or not always.
SAME = [
    "m.up, m.get = m.counter()",
    "exec('def changes():\\n    NUMBERS.append(1)', vars(m))",
    "m.Data.__module__ = 'elsewhere'",
]
ROOTS = ["helper", "wrapped", "Kind", "Data", "Color", "uses", "cached", "get", "Base"]
numbers = itertools.count(1000)


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Return a function that makes a module of a user's."""
    monkeypatch.setattr(string, "capwords", string.capwords)
    made = []

    def one(name, text):
        module = types.ModuleType(name)
        module.__file__ = str(tmp_path / f"{name}.py")
        sys.modules[name] = module
        made.append(name)
        exec(compile(text, module.__file__, "exec"), vars(module))
        return module

    def make():
        number = next(numbers)
        one(f"helper_{number}", HELPER)
        return one(f"shapes_{number}", MODULE.format(helper=f"helper_{number}"))

    yield make
    for name in made:
        del sys.modules[name]


def change(module, text):
    exec(text, {"m": module, "n": next(numbers), "functools": functools, "types": types})


def anew(obj):
    """Digest an object as if it was for the first time."""
    kept, snapshot._kept = snapshot._kept, {}
    try:
        return Content().digests(obj)
    finally:
        snapshot._kept = kept


def served(obj):
    for _ in range(3):
        found = Content().digests(obj)
    return found


def check(module, roots):
    for root in roots:
        obj = getattr(module, root)
        now = Content().digests(obj)
        assert now == anew(obj), root
        assert served(obj) == now, root


@pytest.mark.parametrize("text", CHANGES)
def test_each_change_is_seen(make, text):
    module = make()
    before = {root: served(getattr(module, root)) for root in ROOTS}
    change(module, text)
    check(module, ROOTS)
    after = {root: Content().digests(getattr(module, root)) for root in ROOTS}
    # What makes no difference to any is a mistake in the list.
    assert before != after


def test_most_are_served(make):
    module = make()
    for root in ("helper", "Kind", "Data", "Color", "cached", "Base"):
        served(getattr(module, root))
        assert id(getattr(module, root)) in snapshot._kept, root


def test_nothing_is_kept_of_what_is_made_for_a_call(make):
    module = make()
    before = len(snapshot._kept)
    for _ in range(1000):
        Content().digests(eval("lambda: helper(1)", vars(module)))
    assert len(snapshot._kept) == before


@pytest.mark.parametrize("is_before", [True, False])
def test_what_another_thread_changes_meanwhile_is_seen(make, monkeypatch, is_before):
    module = make()
    take = snapshot.take

    def change_and_take(*args):
        if is_before:
            module.FACTOR += 1
        taken = take(*args)
        if not is_before:
            module.FACTOR += 1
        return taken

    Content().digests(module.helper)
    monkeypatch.setattr(snapshot, "take", change_and_take)
    Content().digests(module.helper)
    monkeypatch.setattr(snapshot, "take", take)
    check(module, ROOTS)


@pytest.mark.parametrize(
    ("begin", "each"),
    [("", "m.NUMBERS.append(1)"), ("m.Kind.size = m.Kind(1)", "")],
    ids=["changing", "untold"],
)
def test_what_is_noted_in_vain_is_noted_ever_more_rarely(make, monkeypatch, begin, each):
    module, taken, take = make(), [], snapshot.take

    def count(*args):
        taken.append(1)
        return take(*args)

    monkeypatch.setattr(snapshot, "take", count)
    change(module, begin)
    for _ in range(200):
        change(module, each)
        Content().digests(module.Kind)
    assert 0 < len(taken) < 10


@pytest.mark.slow
def test_changes_in_any_order_are_seen(make, monkeypatch):
    # Each is noted again as soon as can be.
    monkeypatch.setattr(snapshot, "_PAUSE_MAX", 1)
    capwords = string.capwords

    @settings(
        max_examples=150,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(st.sampled_from(CHANGES + SAME), min_size=1, max_size=6), st.permutations(ROOTS)
    )
    def check_changes(changes, roots):
        string.capwords = capwords
        module = make()
        check(module, roots)
        for text in changes:
            try:
                change(module, text)
            except (AttributeError, KeyError, TypeError, ValueError):
                # What an earlier change has taken away.
                continue
            check(module, roots)

    check_changes()
