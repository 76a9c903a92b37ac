"""Objects of every kind, nested in any way, arrive as pickle would have delivered them."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import enum
import http
import importlib.machinery
import pickle
import sys
import threading
import types
import uuid
import zoneinfo
from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath

import cloudpickle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpy import Client, SerializationError, Server, respond, token_create

from .exact import differ

HOST = "127.0.0.1"
ZONES = ["UTC", "Europe/Berlin", "America/New_York"]
KNOTS = """\
import enum

class Knot(enum.Enum):
    LOOSE = (1, 2)
    TIED = ([], "tied")

Knot.TIED.value[0].extend([Knot.TIED, Knot.TIED])
"""
TASKS = f"""\
import http, importlib.machinery, sys, types
from bgpy import respond

sys.modules["knots"] = types.ModuleType("knots")
sys.modules["knots"].__spec__ = importlib.machinery.ModuleSpec("knots", None)
exec({KNOTS!r}, vars(sys.modules["knots"]))

def init_task():
    return {{}}

def exec_task(client_socket, state, args):
    respond(client_socket, args)

def exit_task(client_socket, state, args):
    pass
"""


class Colour(enum.Enum):
    RED = 1
    PAIR = (1, "two")


class Number(enum.IntEnum):
    THREE = 3


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


offsets = st.builds(
    datetime.timezone,
    st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23)),
) | st.builds(
    datetime.timezone,
    st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23)),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
zones = st.none() | offsets | st.sampled_from(ZONES).map(zoneinfo.ZoneInfo)
surrogates = st.text(st.characters(categories=["Cs", "Ll"]), min_size=1, max_size=8)
parts = st.lists(st.text(st.characters(exclude_characters="\0/\\:"), max_size=5), max_size=3)
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.floats(),
    st.text(),
    st.text(min_size=70, max_size=80),
    surrogates,
    st.binary(),
    st.complex_numbers(),
    st.dates(),
    st.times(timezones=zones),
    st.builds(
        lambda moment, zone, fold: moment.replace(tzinfo=zone, fold=fold),
        st.datetimes(),
        zones,
        st.sampled_from([0, 1]),
    ),
    st.timedeltas(),
    zones,
    st.decimals(),
    st.sampled_from([decimal.Decimal("sNaN"), decimal.Decimal("-NaN12"), decimal.Decimal("1E+99")]),
    st.uuids(),
    st.builds(lambda kind, parts: kind(*parts), st.sampled_from([PosixPath, PurePosixPath]), parts),
    st.builds(lambda parts: PureWindowsPath("c:/", *parts), parts),
    st.sampled_from([http.HTTPStatus.OK, uuid.SafeUUID.safe, decimal.Context, zoneinfo.ZoneInfo]),
    st.sampled_from([Colour.RED, Colour.PAIR, Number.THREE, Rights.READ | Rights.WRITE]),
)
HASHABLE = st.recursive(
    ATOMS.filter(lambda atom: not is_signal(atom) and atom == atom),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)


def is_signal(value):
    return isinstance(value, decimal.Decimal) and value.is_snan()


OBJECTS = st.recursive(
    ATOMS | st.binary().map(bytearray),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.tuples(inner, inner),
        st.dictionaries(HASHABLE, inner, max_size=4),
        st.sets(HASHABLE, max_size=4),
        st.frozensets(HASHABLE, max_size=4),
    ),
    max_leaves=15,
)


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


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return a client that opens no pickles, of a server that opens none."""
    directory = tmp_path_factory.mktemp("plain")
    path = directory / "tasks.py"
    path.write_text(TASKS)
    server = Server(HOST, 0, token=token_create(), init_file=path, allow_pickle=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BGPY_RUNTIME_DIR", str(directory))
        server.run_background()
    yield Client(HOST, server.port, token=server.token, allow_pickle=False)
    server.stop()


def pickled(value):
    return pickle.loads(cloudpickle.dumps(value))


def test_what_arrives_is_what_pickle_delivers(client):
    @settings(max_examples=400, derandomize=True, database=None, deadline=None)
    @given(OBJECTS)
    def check(value):
        assert differ(client.call(value), pickled(value)) is None

    check()


def test_what_is_shared_arrives_shared(client):
    @settings(max_examples=300, derandomize=True, database=None, deadline=None)
    @given(OBJECTS, st.lists(st.lists(st.integers(0, 6), max_size=4), min_size=5, max_size=5))
    def check(value, links):
        # Containers that hold each other and the value, in any way.
        web = [[], {}, [], bytearray(b"b"), {}, (value, [value]), value]
        for knot, ends in zip(web, links, strict=False):
            if isinstance(knot, list):
                knot.extend(web[end] for end in ends)
            elif isinstance(knot, dict):
                knot.update((place, web[end]) for place, end in enumerate(ends))
        assert differ(client.call(web), pickled(web)) is None

    check()


@pytest.mark.parametrize(
    "value",
    [
        {1, (2, frozenset({3}))},
        frozenset(),
        bytearray(b"abc"),
        "file-\udcff",
        complex(-0.0, float("nan")),
        datetime.date(1, 1, 1),
        datetime.time(23, 59, 59, 999_999, fold=1),
        datetime.datetime(9999, 12, 31, fold=1, tzinfo=datetime.timezone.min),
        datetime.datetime(2026, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"), fold=1),
        datetime.timedelta.min,
        datetime.UTC,
        datetime.timezone(datetime.timedelta(0), "UTC"),
        datetime.timezone(datetime.timedelta(microseconds=-1), ""),
        zoneinfo.ZoneInfo("Europe/Berlin"),
        decimal.Decimal("-0.00"),
        decimal.Decimal("sNaN123"),
        uuid.UUID(int=2**128 - 1),
        Path("/tmp") / "file-\udcff",
        PurePosixPath(),
        PureWindowsPath("c:/a"),
        http.HTTPStatus.NOT_FOUND,
        [datetime.date(2026, 1, 2)] * 2,
        ["x" * 100] * 3,
        {uuid.UUID(int=1): {decimal.Decimal(1)}, datetime.date.max: PurePosixPath("a")},
    ],
    ids=repr,
)
def test_every_plain_kind_needs_no_pickle(client, plain, value):
    assert differ(client.call(value), pickled(value)) is None
    received = plain.call({"it": [value]})["it"][0]
    # What cannot change may become two where no pickle is taken.
    assert differ(received, pickled(value)) is None or isinstance(value, list)
    assert type(received) is type(value)
    assert repr(received) == repr(value)


class Day(datetime.date):
    pass


class Moment(datetime.datetime):
    pass


class Money(decimal.Decimal):
    pass


class Tags(set):
    pass


class Place(PurePosixPath):
    pass


class OwnZone(datetime.tzinfo):
    def utcoffset(self, moment):
        return datetime.timedelta(hours=1)

    def __eq__(self, other):
        return type(other) is OwnZone

    def __hash__(self):
        return 1


UNSAFE = uuid.UUID(int=1, is_safe=uuid.SafeUUID.unsafe)


@pytest.mark.parametrize(
    "value",
    [
        Day(2026, 1, 2),
        Moment(2026, 1, 2),
        Money("1.5"),
        Tags([1]),
        Place("a"),
        datetime.datetime(2026, 1, 2, tzinfo=OwnZone()),
        UNSAFE,
        Colour.PAIR,
        Number.THREE,
        Rights.READ | Rights.WRITE,
    ],
    ids=repr,
)
def test_whatever_is_derived_from_them_stays_what_it_is(client, plain, value):
    received = client.call([value])[0]
    assert type(received) is type(value)
    assert received == value
    with pytest.raises(SerializationError, match=r"args\[0\].*allow_pickle=False"):
        plain.call([value])


def test_members_whose_value_is_a_container_may_repeat(plain, monkeypatch):
    # A module that has no file, but was not made here, counts as installed, as one in C does; the
    # server of `plain` has one of its own.
    module = types.ModuleType("knots")
    module.__spec__ = importlib.machinery.ModuleSpec("knots", None)
    monkeypatch.setitem(sys.modules, "knots", module)
    exec(KNOTS, vars(module))
    knot = module.Knot
    assert plain.call([knot.LOOSE, knot.LOOSE, (1, 2)]) == [knot.LOOSE, knot.LOOSE, (1, 2)]
    assert plain.call({knot.LOOSE}) == {knot.LOOSE}
    with pytest.raises(SerializationError, match="occurs in the message twice"):
        plain.call(knot.TIED)


def test_a_zone_of_its_own_is_no_cached_one(client, plain):
    zone = zoneinfo.ZoneInfo.no_cache("Europe/Berlin")
    assert client.call(zone) is not zoneinfo.ZoneInfo("Europe/Berlin")
    assert client.call(zoneinfo.ZoneInfo("Europe/Berlin")) is zoneinfo.ZoneInfo("Europe/Berlin")
    with pytest.raises(SerializationError, match="allow_pickle=False"):
        plain.call(zone)


def test_long_parts_that_repeat_travel_once(client):
    big = "x" * (1 << 20)
    received = client.call([big] * 1000)
    assert len({id(part) for part in received}) == 1
    assert received[-1] == big


def test_what_changes_while_it_is_sent_crashes_nobody(client):
    # Taking a path apart runs Python code, in which another thread may get its turn.
    value, done = {}, threading.Event()

    def change():
        while not done.is_set():
            for number in range(100):
                value[number, str(number)] = [PurePosixPath(f"a/{number}")]
            value.clear()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            with contextlib.suppress(SerializationError):
                assert set(map(type, client.call(value))) <= {tuple}
    finally:
        done.set()
        thread.join()
    assert client.call("alive") == "alive"


@pytest.mark.parametrize("wrap", [lambda it: [it], lambda it: {0: it}, lambda it: (it,)])
def test_ten_thousand_levels_are_an_error_and_no_crash(client, wrap):
    value = None
    for _ in range(10_000):
        value = wrap(value)
    with pytest.raises(SerializationError, match="args .*cannot be pickled.*recursion"):
        client.call(value)
    assert client.call("alive") == "alive"
