"""Methods of a plain class, called from elsewhere."""

from __future__ import annotations

import functools
import inspect
import os
import pickle
import pydoc
from collections.abc import Iterator

import pytest

import bgpy


class Counter:
    """Counts."""

    step = 2

    def __init__(self, start: int = 0) -> None:
        self.value = start

    def increase(self, by: int = 1) -> int:
        """Add to the value."""
        self.value += by
        return self.value

    def join(self, first, /, second, *rest, sep="-", **others):
        return sep.join([first, second, *rest, *others.values()])

    def words(self, text: str) -> Iterator[str]:
        yield from text.split()

    def undeclared(self):
        return (word for word in ["a"])

    @property
    def double(self) -> int:
        """Twice the value."""
        return self.value * 2

    @functools.cached_property
    def pid(self) -> int:
        return os.getpid()

    @staticmethod
    def add(a, b):
        return a + b

    @classmethod
    def name(cls):
        return cls.__name__

    def fail(self, text):
        raise KeyError(text)

    def close(self):
        return "closed"

    def call(self, args):
        return ["called", args]

    def status(self):
        return "status"

    def _private(self):
        return "private"

    def __len__(self):
        return self.value

    def __getitem__(self, key):
        if key == "missing":
            raise KeyError(key)
        return [key, self.value]

    def __setitem__(self, key, value):
        self.value = value

    def __delitem__(self, key):
        self.value = 0

    def __contains__(self, key):
        return key == self.value

    def __iter__(self):
        return iter(range(self.value))

    def __call__(self, x):
        return x


@pytest.fixture
def counter(served):
    return served(Counter)


def test_a_method_runs_in_the_server(counter):
    assert counter.increase() == 1
    assert counter.increase(10) == 11
    assert counter.increase(by=2) == 13
    assert counter.pid != os.getpid()


def test_properties_are_read(counter):
    counter.increase(4)
    assert counter.double == 8
    with pytest.raises(AttributeError):
        counter.double = 3


class Broken:
    @property
    def state(self):
        return self.missing


def test_a_property_that_raises_an_attribute_error_of_its_own(served):
    broken = served(Broken)
    for _ in range(2):
        with pytest.raises(AttributeError, match="'Broken' object has no attribute 'missing'"):
            _ = broken.state
    assert not hasattr(broken, "state")
    with pytest.raises(AttributeError, match="missing"):
        type(broken).state.fget(broken)
    with pytest.raises(AttributeError, match="has no method or property 'other'"):
        _ = broken.other


def test_static_and_class_methods(counter):
    assert counter.add(1, b=2) == 3
    assert counter.name() == "Counter"


def test_names_of_bgpy_hide_no_method(counter):
    assert counter.close() == "closed"
    assert counter.call({"a": 1}) == ["called", {"a": 1}]
    assert counter.status() == "status"


def test_special_methods(counter):
    counter["x"] = 3
    assert len(counter) == 3
    assert counter["key"] == ["key", 3]
    assert 3 in counter
    assert 4 not in counter
    assert list(counter) == [0, 1, 2]
    assert counter(7) == 7
    del counter["x"]
    assert len(counter) == 0
    with pytest.raises(KeyError, match="missing"):
        counter["missing"]


def test_a_generator_is_a_stream(counter):
    assert list(counter.words("a b c")) == ["a", "b", "c"]


def test_a_generator_that_nobody_can_know_of_is_an_error(counter):
    with pytest.raises(TypeError, match="undeclared has returned a generator.*Iterator"):
        counter.undeclared()


def test_a_misspelt_name_needs_no_server(counter, host):
    bgpy.client(counter).close()
    with pytest.raises(AttributeError, match="has no method or property 'incraese'"):
        counter.incraese()
    with pytest.raises(AttributeError, match="_private"):
        counter._private()
    with pytest.raises(AttributeError, match="value"):
        _ = counter.value
    with pytest.raises(AttributeError, match="'value' cannot be set"):
        counter.value = 3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda it: it.increase(1, 2),
        lambda it: it.increase(bye=1),
        lambda it: it.increase(1, by=2),
        lambda it: it.join("a"),
        lambda it: it.join(first="a", second="b"),
        lambda it: it.add(1),
        lambda it: it.words(),
        lambda it: bgpy.begin(it.increase, 1, 2),
    ],
)
def test_a_wrong_argument_is_told_before_anything_is_sent(counter, wrong):
    calls = bgpy.client(counter).status()["calls"]
    with pytest.raises(TypeError, match=r"^(increase|join|add|words)\("):
        wrong(counter)
    assert bgpy.client(counter).status()["calls"] == calls


def test_all_kinds_of_parameters(counter):
    local = Counter()
    for arguments, keywords in [
        (("a", "b"), {}),
        (("a",), {"second": "b"}),
        (("a", "b", "c", "d"), {"sep": "+"}),
        (("a", "b"), {"other": "o", "more": "m"}),
    ]:
        expected = local.join(*arguments, **keywords)
        assert counter.join(*arguments, **keywords) == expected


def test_exceptions_arrive_as_themselves(counter):
    with pytest.raises(KeyError, match="no such") as caught:
        counter.fail("no such")
    assert type(caught.value) is KeyError
    told = caught.value.__cause__
    assert isinstance(told, bgpy.RemoteError)
    assert "in fail" in told.remote_traceback
    assert told.exception is caught.value


def test_signatures_docs_and_help(counter):
    assert str(inspect.signature(counter.increase)) == "(by: int = 1) -> int"
    assert counter.increase.__name__ == "increase"
    assert counter.increase.__doc__ == "Add to the value."
    assert type(counter).__doc__ == "Counts."
    text = pydoc.render_doc(counter, renderer=pydoc.plaintext)
    assert "increase(self, /, by: int = 1) -> int" in text or "increase(self, by: int = 1)" in text
    assert "Add to the value." in text
    assert {"increase", "double", "words"} <= set(dir(counter))


def test_a_proxy_pickles_as_its_target(host):
    counter = bgpy.connect(host(Counter, "counted"), Counter)
    counter.increase(5)
    data = pickle.dumps(counter)
    assert b"token" not in data
    again = pickle.loads(data)
    assert again.increase() == 6
    assert repr(again) == "<Counter on counted>"


def test_a_proxy_is_pickled_without_the_class_of_its_script(scripts):
    scripts.run(
        """
        import pickle
        import sys
        import bgpy

        class Counter:
            def increase(self) -> int:
                return 1

        bgpy.start(Counter, name="counted")
        with open(sys.argv[1], "wb") as file:
            pickle.dump(bgpy.connect("counted", Counter), file)
        """,
        scripts.directory / "proxy",
    )
    printed = scripts.run(
        """
        import pickle
        import sys

        with open(sys.argv[1], "rb") as file:
            proxy = pickle.load(file)
        print(proxy, proxy.increase())
        """,
        scripts.directory / "proxy",
    )
    assert printed == "<Counter on counted> 1\n"


def test_several_proxies_on_one_connection(host):
    client = bgpy.connect(host(Counter))
    one, two = client.service(Counter), client.service()
    assert one.increase() == 1
    assert two.increase() == 2
    assert client.status()["clients"] == 1
    assert bgpy.connect(client, Counter).increase() == 3


def test_begin_and_options(counter):
    calls = [bgpy.begin(counter.increase, 1) for _ in range(50)]
    assert [call.result(20) for call in calls] == [*range(1, 51)]
    assert bgpy.options(counter.increase, timeout=20)(2) == 52
    with pytest.raises(TypeError, match="method of a proxy"):
        bgpy.begin(print)
    with pytest.raises(TypeError, match="yields values"):
        bgpy.begin(counter.words, "a")


def test_a_partial_and_a_function_make_the_object(served):
    assert served(functools.partial(Counter, 5)).increase() == 6

    def make():
        return Counter(7)

    assert served(make).increase() == 8


def test_the_old_calls_on_an_object_say_what_to_do(host):
    client = bgpy.connect(host(Counter))
    with pytest.raises(bgpy.RemoteError, match="has a Counter, and no tasks"):
        client.call({"by": 1})


def test_a_server_of_tasks_has_no_methods(serve):
    client = serve(lambda client_socket, state, args: None)
    with pytest.raises(bgpy.NoMethods, match="runs tasks, which have no methods"):
        client.service()


def test_a_proxy_is_a_context_manager(host):
    with bgpy.connect(host(Counter), Counter) as counter:
        assert counter.increase() == 1
