"""Classes of all sorts."""

from __future__ import annotations

import abc
import dataclasses
import enum
import time
import typing
from collections.abc import Iterator

import pytest

import bgpy

LIMIT_S = 20


@dataclasses.dataclass
class Point:
    x: int = 1
    y: int = 2

    def total(self) -> int:
        return self.x + self.y


class Slots:
    __slots__ = ("value",)

    def __init__(self):
        self.value = 1

    def get(self):
        return self.value


class Meta(type):
    def __call__(cls, *arguments):
        made = super().__call__(*arguments)
        made.by_meta = True
        return made

    def hidden(cls):
        return "of the metaclass"


class Made(metaclass=Meta):
    def get(self):
        return self.by_meta


class Dynamic:
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda: name

    def known(self):
        return self.unknown()


class Table(dict):
    """A dict of its own."""

    class Row:
        pass

    def total(self):
        return sum(self.values())


class Child(Point):
    def total(self) -> int:
        return super().total() * 10

    def reset(self, x=0):
        self.x = x


class Bound:
    """Its methods are made when it is."""

    def __init__(self):
        self.plain = self.other

    def plain(self):
        return "class"

    def other(self):
        return "instance"


T = typing.TypeVar("T")


class Typed(typing.Generic[T], typing.NamedTuple("Pair", [("a", int)])):
    def get(self) -> int:
        return self.a


def test_dataclasses(served):
    point = served(Point)
    assert point.total() == 3
    with pytest.raises(AttributeError, match="its other attributes stay there"):
        point.x
    assert served(Child).total() == 30


def test_slots_and_metaclasses(served):
    assert served(Slots).get() == 1
    made = served(Made)
    assert made.get() is True
    with pytest.raises(AttributeError, match="hidden"):
        made.hidden()


def test_names_that_only_getattr_knows_are_no_methods(served):
    dynamic = served(Dynamic)
    assert dynamic.known() == "unknown"
    with pytest.raises(AttributeError, match="unknown"):
        dynamic.unknown()


def test_a_class_derived_from_a_builtin_one(served):
    table = served(Table)
    table["a"] = 1
    table.update(b=2)
    assert (len(table), table["b"], table.get("c", 9), table.total()) == (2, 2, 9, 3)
    assert "a" in table
    assert list(table) == ["a", "b"]
    assert sorted(table.items()) == [("a", 1), ("b", 2)]


def test_methods_of_the_instance_win(served):
    assert served(Bound).plain() == "instance"


def test_a_factory_of_something_typed(served):
    def make():
        return Typed(5)

    assert served(make).get() == 5


def test_an_abstract_class_is_no_object(host):
    class Abstract(abc.ABC):
        @abc.abstractmethod
        def run(self): ...

    with pytest.raises(bgpy.RemoteError, match="abstract"):
        host(Abstract)


def test_what_makes_nothing(host):
    def nothing():
        pass

    with pytest.raises(bgpy.RemoteError, match="nothing must return the object to serve, not None"):
        host(nothing)


def test_ten_thousand_methods(served):
    many = type("Many", (), {f"method_{n}": lambda self, n=n: n for n in range(10_000)})

    def make():
        return many()

    proxy = served(make)
    assert proxy.method_7() == 7
    assert proxy.method_9999(5) == 5
    assert len([name for name in dir(proxy) if name.startswith("method_")]) == 10_000


def test_a_table_that_is_too_long_for_the_client(host):
    many = type("Many", (), {f"method_{n}": lambda self: None for n in range(1000)})

    def make():
        return many()

    client = bgpy.connect(host(make), max_message_bytes=10_000)
    with pytest.raises(bgpy.NoMethods, match="its methods take .* bytes, and the client accepts 10000"):
        client.service()


def test_two_classes_of_one_name(host):
    def first():
        class Same:
            def get(self):
                return 1

        return Same

    def second():
        class Same:
            def get(self):
                return 2

            def other(self):
                return 3

        return Same

    one, two = (bgpy.connect(host(make())).service() for make in (first, second))
    assert (one.get(), two.get(), two.other()) == (1, 2, 3)
    with pytest.raises(AttributeError):
        one.other()


class Slow:
    def __init__(self):
        time.sleep(0.5)

    def get(self):
        return 1


def test_an_init_that_takes_long(host, tmp_path):
    path = tmp_path / "slow.py"
    path.write_text(
        "import time\n\nclass Slow:\n    def __init__(self):\n        time.sleep(0.5)\n\n"
        "    def get(self):\n        return 1\n"
    )
    assert bgpy.connect(host(f"{path}:Slow")).service().get() == 1
    with pytest.raises(bgpy.CallTimeout, match="Slow .* did not finish within 0.1s"):
        host(Slow, timeout=0.1)


class Colour(enum.Enum):
    RED = 1


class Strict(Exception):
    def __init__(self, code, /, *, why):
        super().__init__(f"{code}: {why}")
        self.code, self.why = code, why

    def __reduce__(self):
        return _strict, (self.code, self.why)


def _strict(code, why):
    return Strict(code, why=why)


@typing.final
class Final(ValueError):
    def __init_subclass__(cls):
        raise TypeError("it is final")


class Awkward(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


class Raises:
    def strict(self):
        raise Strict(7, why="no")

    def final(self):
        raise Final("end")

    def awkward(self):
        raise Awkward(1, 2)

    def group(self):
        raise ExceptionGroup("both", [ValueError("a"), KeyError("b")])

    def noted(self):
        error = LookupError("noted")
        error.add_note("look under the table")
        raise error

    def chained(self):
        try:
            raise OSError("the root")
        except OSError as error:
            raise RuntimeError("on top") from error

    def own(self):
        raise bgpy.ConfigError("mine")

    def leave(self):
        raise SystemExit(1)

    def interrupted(self):
        raise KeyboardInterrupt

    def stop(self):
        raise StopIteration(5)

    def unsendable(self):
        import threading

        return [threading.Lock()]

    def values(self) -> Iterator[object]:
        import threading

        yield 1
        yield threading.Lock()


@pytest.fixture
def raises(served):
    return served(Raises)


def test_exceptions_with_a_life_of_their_own(raises):
    with pytest.raises(Strict) as caught:
        raises.strict()
    assert (caught.value.code, caught.value.why) == (7, "no")
    with pytest.raises(Final, match="end"):
        raises.final()
    with pytest.raises(bgpy.ConfigError, match="mine"):
        raises.own()
    with pytest.raises(StopIteration):
        raises.stop()


def test_one_that_cannot_be_rebuilt(raises):
    with pytest.raises(bgpy.RemoteError, match="Awkward: 1 2") as caught:
        raises.awkward()
    assert "in awkward" in caught.value.remote_traceback


def test_groups_notes_and_causes(raises):
    with pytest.raises(ExceptionGroup) as caught:
        raises.group()
    assert [type(error) for error in caught.value.exceptions] == [ValueError, KeyError]
    with pytest.raises(LookupError) as caught:
        raises.noted()
    assert "look under the table" in caught.value.__notes__
    with pytest.raises(RuntimeError, match="on top") as caught:
        raises.chained()
    assert "the root" in caught.value.__cause__.remote_traceback


def test_what_would_end_the_caller_does_not(raises):
    with pytest.raises(bgpy.RemoteError, match="SystemExit"):
        raises.leave()
    with pytest.raises(bgpy.RemoteError, match="KeyboardInterrupt"):
        raises.interrupted()


def test_a_result_that_cannot_be_sent(raises):
    with pytest.raises(bgpy.SerializationError, match=r"the result\[0\] .*lock"):
        raises.unsendable()
    stream = raises.values()
    assert next(stream) == 1
    with pytest.raises(bgpy.SerializationError, match=r"a value of the stream .*lock"):
        next(stream)
