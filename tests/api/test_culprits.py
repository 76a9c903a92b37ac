"""Objects that raise while they are pickled or unpickled: the part is named, and all live on."""

from __future__ import annotations

import collections
import functools
import threading
import time
import types

import numpy
import pytest

from bgpy import Client, RemoteError, SerializationError, respond

HOST = "127.0.0.1"


class Model:
    def __init__(self, *layers):
        self.layers = list(layers)


class Slots:
    __slots__ = ("_Slots__hidden", "inner")

    def __init__(self, inner):
        self.inner = inner


class NoReduce:
    def __reduce__(self):
        raise KeyError("nothing to reduce")


class NoState:
    """Raises where it arrives."""

    def __setstate__(self, state):
        raise LookupError("no such state")

    def __getstate__(self):
        return {"a": 1}


class Makes:
    """Its reducer makes what is not a part of it."""

    def __reduce__(self):
        return Makes, (1, {"lock": threading.Lock()})


class State:
    def __getstate__(self):
        return {"lock": threading.Lock()}


class MakesMore:
    def __reduce_ex__(self, protocol):
        return MakesMore, ([State()],)


class Hashed:
    """Raises when it is a key where it arrives."""

    def __getstate__(self):
        return {"a": 1}

    def __hash__(self):
        if ARRIVED not in vars(self):
            return 1
        raise LookupError("no hash")

    def __setstate__(self, state):
        vars(self)[ARRIVED] = 1


ARRIVED = "arrived"


class NoWay:
    """Raises when it is called where it arrives."""

    def __reduce__(self):
        return int, ("many",)


class NoCall(NoWay):
    def __call__(self):
        return 1


LOCK = threading.Lock()


def local():
    """Make code that the server cannot import under its name."""

    class Attribute:
        lock = threading.Lock()

    class Derived(Attribute):
        pass

    class Mentions:
        def __reduce__(self):
            return Mentions, (len(str(LOCK)),)

    def takes(client_socket, state, args, *, lock=LOCK):
        pass

    def keeps():
        def inner():
            return [takes for _ in range(1)]

        return inner

    def uses():
        def inner():
            return [LOCK for _ in range(1)]

        return inner

    return types.SimpleNamespace(
        Attribute=Attribute,
        Derived=Derived,
        Mentions=Mentions,
        takes=takes,
        keeps=keeps,
        uses=uses,
    )


LOCAL = local()
FIELDS = numpy.array([(1, 2), (3, 4)], dtype=[("a", int), ("x", object)])
FIELDS["x"][1] = NoReduce()
ARRAY = numpy.array([1, [NoState()]], dtype=object)
TABLE = numpy.array([[1, 2], [NoState(), 4]])


def circle(*parts):
    model = Model(*parts)
    model.layers.append({"back": model})
    return model


@pytest.fixture
def client(serve):
    """Return a client whose calls are answered with their argument, or what it is told to make."""

    def run(client_socket, state, args):
        respond(client_socket, args(client_socket) if callable(args) else args)

    client = serve(run)
    yield client
    # Whatever happened, the connection and the server live on.
    before = client.status()
    assert client.call("alive") == "alive"
    assert client.status()["clients"] == before["clients"] == 1


@pytest.mark.parametrize(
    ("args", "path", "cause"),
    [
        (NoReduce(), r"^args \(an? [\w.]*NoReduce\)", KeyError),
        ({"model": Model(1, NoReduce())}, r'^args\["model"\]\.layers\[1\] \(', KeyError),
        ([Slots({"x": (threading.Lock(),)})], r'^args\[0\]\.inner\["x"\]\[0\] \(a _', TypeError),
        (circle(1, NoReduce()), r"^args\.layers\[1\] \(", KeyError),
        ({1: {frozenset([NoReduce()])}}, r"^list\(list\(args\[1\]\)\[0\]\)\[0\] \(", KeyError),
        ({NoReduce(): 1}, r"^list\(args\)\[0\] \(", KeyError),
        ((n for n in ()), r"^args \(a generator\)", TypeError),
        (types.SimpleNamespace(a=[time, NoReduce()]), r"^args\.a\[1\] \(", KeyError),
        (LOCAL.Attribute, r"^args\.lock \(a _", TypeError),
        ([LOCAL.Attribute()], r"^type\(args\[0\]\)\.lock \(a _", TypeError),
        ({"x": LOCAL.Derived()}, r'^type\(args\["x"\]\)\.lock \(a _', TypeError),
        (LOCAL.keeps, r'^args\.takes\.__kwdefaults__\["lock"\] \(a _', TypeError),
        (LOCAL.takes, r'^args\.__kwdefaults__\["lock"\] \(a _', TypeError),
        ((LOCAL.uses,), r'^args\[0\]\.__globals__\["LOCK"\] \(a _', TypeError),
        (functools.partial(print, LOCK), r"^args\.args\[0\] \(a _", TypeError),
        (functools.partial(print, end=LOCK), r'^args\.keywords\["end"\] \(a _', TypeError),
        (ValueError("x", [LOCK]), r"^args\.args\[1\]\[0\] \(a _", TypeError),
        (numpy.array([1, "x", [LOCK]], dtype=object), r"^args\[2\]\[0\] \(a _", TypeError),
        (
            {"a": numpy.array([[1, 2], [3, NoReduce()]])},
            r'^args\["a"\]\[1, 1\] \([\w .]*NoReduce',
            KeyError,
        ),
        (FIELDS, r'^args\[1\]\["x"\] \([\w .]*NoReduce', KeyError),
        (numpy.array(LOCK), r"^args\[\(\)\] \(a _", TypeError),
        (
            [collections.defaultdict(functools.partial(print, LOCK))],
            r"^args\[0\]\.default_factory\.args\[0\] \(a _",
            TypeError,
        ),
        (
            [LOCAL.Mentions()],
            r'^type\(args\[0\]\)\.__reduce__\.__globals__\["LOCK"\] \(a _',
            TypeError,
        ),
        ([Makes()], r'^args\[0\]\.__reduce__\(\)\[1\]\[1\]\["lock"\] \(a _', TypeError),
        (
            MakesMore(),
            r'^args\.__reduce_ex__\(5\)\[1\]\[0\]\[0\]\.__getstate__\(\)\["lock"\] \(a _',
            TypeError,
        ),
        ({1: State()}, r'^args\[1\]\.__getstate__\(\)\["lock"\] \(a _', TypeError),
        ({("x", NoReduce()): 1}, r"^list\(args\)\[0\]\[1\] \([\w .]*NoReduce", KeyError),
        ({1, (2, NoReduce())}, r"^list\(args\)\[[01]\]\[1\] \([\w .]*NoReduce", KeyError),
    ],
    ids=[
        *["self", "attribute", "slot", "circle", "set", "key", "generator", "namespace", "class"],
        *["instance", "derived", "nested", "default", "used inside", "partial", "keyword", "error"],
        *["array", "table", "fields", "no dimensions", "factory"],
        *["mentioned", "made", "made by another", "state"],
        *["inside a key", "inside an item"],
    ],
)
def test_what_cannot_be_pickled_is_named(client, args, path, cause):
    for call in (client.call, client.execute):
        with pytest.raises(SerializationError, match=path + r".*cannot be pickled: ") as caught:
            call(args)
        assert type(caught.value.__cause__) is cause


@pytest.mark.parametrize(
    ("args", "path", "cause"),
    [
        (NoWay(), r"args \(an int\)", ValueError),
        ({"m": Model(1, {"x": NoWay()})}, r'args\["m"\]\.layers\[1\]\["x"\] \(', ValueError),
        (Model(1, Model(NoState())), r"args\.layers\[1\]\.layers\[0\] \(", LookupError),
        ([Slots([NoState()])], r"args\[0\]\.inner\[0\] \(", LookupError),
        (circle(1, NoState()), r"args\.layers\[1\] \(", LookupError),
        ({"s": {1, NoWay()}}, r'list\(args\["s"\]\)\[[01]\] \(an int', ValueError),
        ({"k": {1: 2, Hashed(): 3}}, r'list\(args\["k"\]\)\[1\] \([\w .]*Hashed', LookupError),
        ([{("x", Hashed())}], r"list\(args\[0\]\)\[0\]\[1\] \([\w .]*Hashed", LookupError),
        (collections.defaultdict(NoCall()), r"args\.default_factory \(an int", ValueError),
        (
            numpy.array([1, [NoState()]], dtype=object),
            r"args\[1\]\[0\] \([\w .]*NoState",
            LookupError,
        ),
        (TABLE, r"args\[1, 0\] \([\w .]*NoState", LookupError),
    ],
    ids=[
        *["self", "attribute", "deeper", "slot", "circle", "set", "key", "inside an item"],
        *["factory", "array", "table"],
    ],
)
def test_what_cannot_be_unpickled_there_is_named(client, args, path, cause):
    with pytest.raises(SerializationError, match=path + r".*cannot be unpickled: ") as caught:
        client.call(args)
    assert not isinstance(caught.value, RemoteError)
    assert type(caught.value.__cause__) is cause
    assert caught.value.exception_type == cause.__name__
    assert str(caught.value.__cause__) in caught.value.remote_traceback
    # Nobody waits for it, and nothing is broken by it.
    client.execute(args)


@pytest.mark.parametrize(
    ("make", "path", "cause"),
    [
        (lambda _: NoWay(), r"^response \(an int\)", ValueError),
        (
            lambda _: {"a": [Model(NoState())]},
            r'^response\["a"\]\[0\]\.layers\[0\] \(',
            LookupError,
        ),
    ],
    ids=["self", "deeper"],
)
def test_what_cannot_be_unpickled_here_is_named(client, make, path, cause):
    for call in (client.call, lambda args: client.execute(args, await_response=True)):
        with pytest.raises(SerializationError, match=path + r".*cannot be unpickled: ") as caught:
            call(make)
        assert type(caught.value.__cause__) is cause


@pytest.mark.parametrize(
    ("task", "path"),
    [
        (lambda client_socket, state, args: LOCK, r'exec_task\.__globals__\["LOCK"\]'),
        (
            lambda client_socket, state, args: LOCAL,
            r'exec_task.__globals__\["LOCAL"\]\.Attribute\.lock',
        ),
        (functools.partial(print, LOCK), r"exec_task\.args\[0\]"),
    ],
    ids=["global", "class", "partial"],
)
def test_a_task_is_named(start, task, path):
    server = Client(HOST, start().port)
    with pytest.raises(SerializationError, match=f"^{path} \\(a _thread.lock\\) cannot be pickled"):
        server.initialize(dict, task, print)


def test_a_response_that_cannot_be_pickled_is_named(client):
    path = r'response\["a"\]\.layers\[0\] \(a _thread\.lock\) cannot be pickled: '
    with pytest.raises(SerializationError, match=path) as caught:
        client.call(lambda _: {"a": Model(threading.Lock())})
    assert isinstance(caught.value, RemoteError)
    assert caught.value.exception_type == "bgpy.errors.SerializationError"
    assert type(caught.value.__cause__) is SerializationError
    assert "in run" in caught.value.remote_traceback


def test_the_traceback_of_the_server_shows_the_line_that_raised(client):
    with pytest.raises(SerializationError) as caught:
        client.call([NoState()])
    assert "in __setstate__" in caught.value.remote_traceback
    assert "in __setstate__" in "".join(caught.value.__notes__)


def test_the_search_ends(client):
    many = [{"x": [number]} for number in range(100_000)]
    begin = time.monotonic()
    with pytest.raises(SerializationError, match="cannot be pickled"):
        client.call([many, many, NoReduce()])
    assert time.monotonic() - begin < 30


def test_a_module_that_the_other_side_lacks_is_named(scripts, start):
    port = start().port
    scripts.write("beside.py", "class Box:\n    pass\n")
    printed = scripts.run(
        """
        import pickle, sys
        from bgpy import Client, SerializationError, respond
        import beside

        class Far:
            def __reduce__(self):
                return getattr, (Near(), "x")

        class Near:
            def __reduce__(self):
                return __import__, ("no_such_module",)

        client = Client("127.0.0.1", int(sys.argv[1]))
        client.initialize(dict, lambda c, s, a: respond(c, type(a).__name__), print)
        try:
            client.call({"box": [Near()]})
        except SerializationError as error:
            print(error)
        print(client.call(beside.Box()))
        """,
        port,
    )
    assert 'args["box"][0]' in printed
    assert "No module named 'no_such_module'" in printed
    assert printed.endswith("Box\n")


METHOD = """
import sys, threading
from bgpy import Client, SerializationError

class Service:
    lock = threading.Lock()

    def go(self):
        return Service()

try:
    Client("127.0.0.1", int(sys.argv[1])).call([Service.go])
except SerializationError as error:
    print(str(error).partition(" cannot")[0])
"""


def test_a_class_that_its_method_needs_is_named(scripts, start, tmp_path):
    (tmp_path / "tasks.py").write_text(
        "def init_task(): return {}\nexec_task = exit_task = print\n"
    )
    server = start(init_file=tmp_path / "tasks.py")
    assert scripts.run(METHOD, server.port) == "args[0].<class Service>.lock (a _thread.lock)\n"
