"""What arrives is what pickle would have delivered: values, types and identities."""

from __future__ import annotations

import datetime
import enum
import pickle
import struct
import uuid
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpy import Client, SerializationError, Server, respond, token_create

# The same examples in each run, and no files of them.
settings.register_profile("bgpy", derandomize=True, database=None, deadline=None)
settings.load_profile("bgpy")

HOST = "127.0.0.1"

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats()
    | st.text()
    | st.binary()
)
KEYS = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner), max_leaves=4)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner),
    max_leaves=30,
)

Point = namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 3


class Text(str):
    pass


class Row(list):
    pass


class Table(dict):
    pass


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Return a client whose calls return what they were given."""
    server = Server(HOST, 0, token=token_create())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BGPY_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        server.run_background()
    client = Client(HOST, server.port, token=server.token)
    client.initialize(dict, lambda caller, state, args: respond(caller, args), print)
    yield client
    server.stop()


def same(left, right):
    """Tell whether two objects are equal in value, type, order and, for floats, each bit."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return struct.pack("<d", left) == struct.pack("<d", right)
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def nested(levels, inside=None, wrap=lambda item: [item]):
    for _ in range(levels):
        inside = wrap(inside)
    return inside


def depth(item):
    levels = 0
    while item:
        item, levels = item[0], levels + 1
    return levels


def test_plain_data_arrives_exactly(client):
    @settings(max_examples=300)
    @given(PLAIN)
    def check(value):
        assert same(client.call(value), value)

    check()


def test_shared_and_cyclic_parts_arrive_as_such(client):
    # Lists that hold each other in any way; the pickles of two such webs are equal if they are.
    @settings(max_examples=100)
    @given(st.lists(st.lists(st.integers(0, 5), max_size=4), min_size=6, max_size=6))
    def check(links):
        web = [[] for _ in links]
        for knot, ends in zip(web, links, strict=True):
            knot.extend(web[end] for end in ends)
        assert pickle.dumps(client.call(web[0])) == pickle.dumps(web[0])

    check()


@pytest.mark.parametrize(
    "value",
    [
        0,
        1,
        -1,
        *(
            sign * 2**bits + more
            for sign in (1, -1)
            for bits in (5, 7, 8, 15, 16, 31, 32, 63, 64, 127, 1000, 10_000)
            for more in (-1, 0, 1)
        ),
    ],
)
def test_integers_at_the_edges(client, value):
    assert same(client.call(value), value)


@pytest.mark.parametrize(
    "bits",
    [0, 1 << 63, 0x7FF8 << 48, 0xFFF8 << 48, 0x7FF0_0000_DEAD_BEEF, 0x7FF0 << 48, 1],
    ids=["0", "-0", "nan", "-nan", "nan-payload", "inf", "denormal"],
)
def test_floats_at_the_edges(client, bits):
    (value,) = struct.unpack("<d", struct.pack("<Q", bits))
    assert same(client.call(value), value)
    assert same(client.call({"deep": [value]}), {"deep": [value]})


@pytest.mark.parametrize("length", [0, 1, 31, 32, 255, 256, 65_535, 65_536, 100_000])
def test_lengths_at_the_edges(client, length):
    for value in (
        "x" * length,
        "ü" * length,
        b"x" * length,
        [None] * length,
        (1,) * length,
        dict.fromkeys(range(length)),
    ):
        assert same(client.call(value), value)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\0", "\U0010ffff", "e\u0301"])
def test_unusual_texts(client, text):
    assert client.call(text) == text
    assert client.call({text: [text]}) == {text: [text]}


@pytest.mark.parametrize(
    "value",
    [
        OrderedDict(b=1, a=2),
        defaultdict(list, a=[1]),
        Counter("hello"),
        deque([1, 2], maxlen=3),
        Point(1, [2]),
        Colour.RED,
        Text("text"),
        Row([1, 2]),
        Table(a=1),
        True,
        {1, 2},
        frozenset({1, (2,)}),
        bytearray(b"abc"),
        1 + 2j,
        complex(-0.0, float("inf")),
        Decimal("1.10"),
        Fraction(1, 3),
        range(3),
        slice(1, 2),
        ...,
        NotImplemented,
        uuid.UUID(int=5),
        PurePosixPath("/a/b"),
        datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
        datetime.timedelta(days=-1, microseconds=1),
        np.float64(0.1),
        np.int8(-1),
        np.datetime64("2026-01-02"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_types_are_kept(client, value):
    for wrapped in (value, [value], {"key": (value, 1)}):
        received = client.call(wrapped)
        assert received == wrapped
        inside = received
        while type(inside) in (list, dict, tuple) and type(inside) is not type(value):
            inside = next(iter(inside.values())) if isinstance(inside, dict) else inside[0]
        assert type(inside) is type(value)


def test_attributes_of_subclasses_are_kept(client):
    row = Row([1])
    row.unit = "m"
    assert client.call([row])[0].unit == "m"


def test_subclasses_as_keys_are_kept(client):
    received = client.call({Colour.RED: 1, Text("a"): 2, True: 3})
    assert [type(key) for key in received] == [Colour, Text, bool]


def test_a_shared_part_arrives_once(client):
    part = [1]
    received = client.call({"a": part, "b": [part, (part,)]})
    assert received["a"] is received["b"][0] is received["b"][1][0]
    one, two = client.call([{}, {}])
    assert one is not two


def test_a_circle_arrives_as_a_circle(client):
    circle = [1]
    circle.append({"back": circle})
    received = client.call(circle)
    assert received[1]["back"] is received


@pytest.mark.parametrize("wrap", [lambda item: [item], lambda item: (item,)], ids=["list", "tuple"])
def test_depths_around_the_limit_of_plain_data(client, wrap):
    for levels in (100, *range(250, 262), 300):
        for inside in (None, 1):
            value = nested(levels, inside, wrap)
            assert pickle.dumps(client.call(value)) == pickle.dumps(value)


def test_a_deep_dict_around_the_limit_of_plain_data(client):
    for levels in range(250, 262):
        value = nested(levels, 1, lambda item: {"k": item})
        assert client.call(value) == value


@pytest.mark.parametrize("levels", [10_000, 200_000])
def test_what_is_too_deep_is_an_error_and_no_crash(client, levels):
    with pytest.raises(SerializationError, match="args"):
        client.call(nested(levels))
    assert client.call("alive") == "alive"


def test_a_response_that_is_too_deep_is_an_error_and_no_crash(start):
    def dig(client_socket, state, args):
        item = None
        for _ in range(args):
            item = [item]
        respond(client_socket, item)

    client = Client(HOST, start().port)
    client.initialize(dict, dig, print)
    with pytest.raises(Exception, match="response"):
        client.call(200_000)
    assert client.call(1) == [None]


def test_ten_megabytes(client):
    data = np.random.default_rng(1).bytes(10 << 20)
    assert client.call(data) == data
    assert client.call({"data": [data, "and more"]}) == {"data": [data, "and more"]}


@pytest.mark.parametrize(
    "array",
    [
        np.arange(1_000_000, dtype=np.float64),
        np.arange(12).reshape(3, 4),
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.arange(100)[::7],
        np.arange(12).reshape(3, 4).T[1:],
        np.zeros((0, 3)),
        np.array(5),
        np.array([("a", 1.5)], dtype=[("name", "U3"), ("size", "f4")]),
        np.array([None, [1], "x"], dtype=object),
        np.array(["a", "bcd"]),
        np.array([1, 2], dtype=">i4"),
        np.array([np.nan, -0.0]),
        np.array([True, False]),
    ],
    ids=[
        "large",
        "matrix",
        "fortran",
        "stride",
        "view",
        "empty",
        "scalar",
        "record",
        "object",
        "text",
        "big-endian",
        "nan",
        "bool",
    ],
)
def test_an_array_arrives_equal_and_writable(client, array):
    received = client.call(array)
    assert type(received) is np.ndarray
    assert (received.dtype, received.shape) == (array.dtype, array.shape)
    assert received.tobytes() == array.tobytes() or array.dtype == object
    np.testing.assert_array_equal(received, array)
    assert received.flags.writeable
    received[...] = received.copy()


def test_arrays_that_arrive_own_their_memory(client):
    first = client.call(np.zeros(1000))
    second = client.call(np.ones(1000))
    first[:] = 5
    assert (first == 5).all()
    assert (second == 1).all()


def test_many_arrays_travel_together(client):
    arrays = {name: np.full(1000, name) for name in range(50)}
    received = client.call(arrays)
    assert all((received[name] == name).all() for name in arrays)


def test_a_shared_array_arrives_once(client):
    array = np.zeros(1000)
    one, two = client.call([array, array])
    assert one is two


def test_the_server_may_write_to_an_array_too(serve):
    def double(client_socket, state, args):
        args *= 2
        respond(client_socket, args)

    array = np.ones(1000)
    assert (serve(double).call(array) == 2).all()
    assert (array == 1).all()


def test_a_buffer_may_travel_on(client):
    # Each call takes it to the server and back, once more as what it has arrived as.
    for buffer in (pickle.PickleBuffer(b"read only"), pickle.PickleBuffer(bytearray(b"writable"))):
        there = client.call(buffer)
        assert bytes(client.call(there)) == bytes(there) == bytes(buffer)


def test_what_cannot_be_pickled_is_named(client):
    with pytest.raises(SerializationError, match="generator"):
        client.call(number for number in range(3))
