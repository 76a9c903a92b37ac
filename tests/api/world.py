"""Definitions of every kind, and what they do, for a script or a module of the tests."""

import abc
import asyncio
import collections
import concurrent.futures
import contextlib
import dataclasses
import enum
import functools
import typing
import weakref

COUNT = 0
CALLS = []
FACTOR = 3


@functools.lru_cache
def fib(number):
    return number if number < 2 else fib(number - 1) + fib(number - 2)


def noted(function):
    @functools.wraps(function)
    def wrapper(*args):
        CALLS.append(function.__name__)
        return function(*args)

    wrapper.marker = 5
    return wrapper


@functools.cache
@noted
def stacked(number):
    return number * FACTOR


class Kind:
    made = 0
    items: typing.ClassVar[list] = []

    def __init__(self):
        Kind.made += 1
        self.items.append(self.made)

    @classmethod
    @functools.cache
    def cached_class(cls, number):
        return cls, number

    @staticmethod
    @functools.cache
    def cached_static(number):
        return number + 1

    @functools.cached_property
    def cached(self):
        return object()

    @property
    def factor(self):
        return FACTOR

    class Inner:
        def outer(self):
            return Kind

    def own(self):
        return super().__hash__() is not None and __class__


class Sub(Kind):
    def __init__(self):
        super().__init__()
        self.more = 1


UserId = typing.NewType("UserId", int)
Deep = typing.NewType("Deep", UserId)
T = typing.TypeVar("T", bound="Kind")
Bound = typing.TypeVar("Other", bound=Kind)
P = typing.ParamSpec("P")


class Gen(typing.Generic[T, P]):
    def same(self, value: T) -> typing.Annotated[Deep, "x"]:
        return value


@typing.runtime_checkable
class Sized(typing.Protocol):
    def __len__(self): ...


class Partly(typing.TypedDict, total=False):
    a: typing.Required[int]


class Wholly(Partly):
    b: str


@functools.singledispatch
def show(value):
    return "any"


@show.register
def _(value: Kind):
    return "kind"


class Shape:
    @functools.singledispatchmethod
    def put(self, value):
        return "any"

    @put.register
    def _(self, value: Kind):
        return "kind"

    half = functools.partialmethod(lambda self, number, by=1: (number, by), 8, by=2)


class Private:
    __slots__ = ("__hidden", "__weakref__", "shown")

    def __init__(self):
        self.__hidden, self.shown = 1, 2

    def get(self):
        return self.__hidden, self.shown


class MorePrivate(Private):
    __slots__ = {"__hidden": "of its own"}

    def __init__(self):
        super().__init__()
        self.__hidden = 9

    def both(self):
        return self.__hidden, self.get()


@dataclasses.dataclass
class Point:
    x: int
    y: list = dataclasses.field(default_factory=list)
    _: dataclasses.KW_ONLY
    z: typing.ClassVar[int] = 3
    w: dataclasses.InitVar[int] = 5

    def __post_init__(self, w):
        self.double = 2 * w


@dataclasses.dataclass(order=True, frozen=True, slots=True)
class Frozen:
    a: int
    b: str = "b"


class Planet(enum.Enum):
    EARTH = (1, 2.0)
    MARS = (2, 3.0)
    TERRA = EARTH

    def __init__(self, mass, radius):
        self.mass, self.radius = mass, radius

    @classmethod
    def first(cls):
        return cls.EARTH


class Word(enum.StrEnum):
    A = "a"
    B = enum.auto()


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2
    BOTH = 3


class Named(enum.Enum):
    def _generate_next_value_(name, start, count, last):  # noqa: N805
        return name.lower()

    ONE = enum.auto()

    @classmethod
    def _missing_(cls, value):
        return cls.ONE


class Labelled(bytes, enum.Enum):
    def __new__(cls, value, label):
        member = bytes.__new__(cls, [value])
        member._value_, member.label = value, label
        return member

    SEVEN = (7, "seven")


class Meta(type):
    made: typing.ClassVar[list] = []

    def __new__(cls, name, bases, namespace, **options):
        cls.made.append(name)
        return super().__new__(cls, name, bases, namespace)

    def __init__(cls, name, bases, namespace, *, tag):
        cls.tag = tag

    def __setattr__(cls, name, value):
        assert name == "tag"
        super().__setattr__(name, value)

    def __eq__(cls, other):
        return cls is other

    def __hash__(cls):
        return 7


class WithMeta(metaclass=Meta, tag="t"):
    def me(self):
        return WithMeta


class Hook:
    known: typing.ClassVar[dict] = {}
    order: typing.ClassVar[list] = []

    def __init_subclass__(cls, *, key, **options):
        super().__init_subclass__(**options)
        Hook.known[key] = cls
        Hook.order.append(cls.needed)


class Hooked(Hook, key="one"):
    needed = 4


class HookedTwice(Hooked, key="two"):
    needed = 5


class Descriptor:
    def __set_name__(self, owner, name):
        self.name = name
        owner.names.append(name)

    def __get__(self, obj, owner=None):
        return self if obj is None else self.name


class Described:
    names: typing.ClassVar[list] = []
    told = Descriptor()


class Abstract(abc.ABC):
    @abc.abstractmethod
    def go(self): ...


class Concrete(Abstract):
    def go(self):
        return "went"


Abstract.register(Private)


class Bad(Exception):
    def __init__(self, what, *, why=1):
        super().__init__(what)
        self.why = why


class Worse(Bad):
    pass


Pair = collections.namedtuple("Pair", "a b", defaults=[5])


class Typed(typing.NamedTuple):
    a: int
    b: str = "q"

    def both(self):
        return self.a, self.b


@contextlib.contextmanager
def within(value):
    yield value + 1


async def later():
    return FACTOR


def counting():
    yield from range(FACTOR)


def keywords(a, /, b=2, *c, d=4, **e):
    return a, b, c, d, e


def counter():
    number = 0

    def up():
        nonlocal number
        number += 1
        return number

    return up, lambda: number


up, get = counter()


def local_class():
    class Local:
        def me(self):
            return Local

    return Local


One, Two = local_class(), local_class()


class Missing:
    def __reduce__(self):
        return "MISSING"


MISSING = Missing()


def bump():
    global COUNT
    COUNT += 1
    return COUNT


HANDLERS = {"bump": bump, "keywords": keywords}
partial = functools.partial(keywords, 1, d=9)
Kind.added = lambda self: up()


def check_functions():
    yield fib(10), fib.cache_info().hits > 0
    yield stacked(2), stacked.__wrapped__.marker, CALLS[:1], stacked.__name__
    yield show(Kind()), show([]), Shape().put(Kind()), Shape().put(1), Shape().half()
    with within(1) as value:
        yield value
    yield asyncio.run(later()), list(counting()), keywords(1, 3, 4, d=5, f=6), partial(7)
    moved = up()
    yield get() == moved, up() == moved + 1, Kind().added() == moved + 2, get() == moved + 2
    moved = bump()
    yield HANDLERS["bump"]() == moved + 1, moved + 1 == COUNT, HANDLERS["bump"] is bump
    yield concurrent.futures.Future is not None, keywords.__qualname__


def check_classes():
    kind = Kind()
    yield Kind.cached_class(1)[0] is Kind, Kind.cached_static(1), kind.cached is kind.cached
    yield kind.factor, Kind.Inner().outer() is Kind, kind.own() is Kind, Sub().more
    yield Kind.items is Sub.items, len(Kind.items) == Kind.made
    yield Private().get(), MorePrivate().both(), weakref.ref(Private()) is not None
    yield WithMeta.tag, WithMeta().me() is WithMeta, type(WithMeta).made
    yield sorted(Hook.known), Hook.known["one"] is Hooked, Hook.order
    yield Described().told, Described.names
    yield isinstance(Concrete(), Abstract), issubclass(Private, Abstract), issubclass(int, Abstract)
    try:
        Abstract()
    except TypeError:
        yield "abstract"
    try:
        raise Worse(1, why=3)
    except Bad as error:
        yield error.args, error.why
    yield One is not Two, One().me() is One, Two().me() is Two
    yield MISSING.__reduce__(), type(MISSING) is Missing


def check_data():
    point = Point(1)
    yield dataclasses.asdict(point), point.double, dataclasses.replace(point, x=4, w=1) == Point(4)

    @dataclasses.dataclass
    class Deeper(Point):
        v: int = 1

    yield [field.name for field in dataclasses.fields(Deeper)], Deeper(1).v
    yield Frozen(1) < Frozen(2), hash(Frozen(1)) == hash(Frozen(1)), Frozen(1), Frozen.__slots__
    yield Pair(1), Pair(1)._replace(a=2), Typed(1).both(), Typed._field_defaults
    yield Planet.MARS.mass, Planet.TERRA is Planet.EARTH, list(Planet), Planet.first().name
    yield Word.B == "b", Rights(7), Rights.READ | Rights.WRITE is Rights.BOTH
    yield Named("anything") is Named.ONE, Labelled(7) is Labelled.SEVEN, Labelled.SEVEN.label
    yield UserId(3), Deep.__supertype__ is UserId, Gen[Kind, [int]].__args__[0] is Kind
    yield Gen.__parameters__ == (T, P), Bound.__bound__ is Kind, isinstance([], Sized)
    yield sorted(Wholly.__required_keys__), sorted(Wholly.__optional_keys__)


def checks():
    """Return what the definitions do, told so that it is the same at any time."""
    return [repr(part) for part in [*check_functions(), *check_classes(), *check_data()]]


def everything():
    """Return all of them, each in its place."""
    definitions = [fib, noted, stacked, Kind, Sub, UserId, Deep, T, Bound, P, Gen, Sized, Partly]
    definitions += [Wholly, show, Shape, Private, MorePrivate, Point, Frozen, Planet, Word, Rights]
    definitions += [Named, Labelled, Meta, WithMeta, Hook, Hooked, HookedTwice, Descriptor]
    definitions += [Described, Abstract, Concrete, Bad, Worse, Pair, Typed, within, later, counting]
    definitions += [keywords, up, get, One, Two, MISSING, bump, Kind.Inner, Kind.own]
    definitions += [Planet.MARS, Rights.READ | Rights.WRITE, Rights(7), Labelled.SEVEN, Word.B]
    objects = [Kind(), Sub(), Private(), MorePrivate(), Point(1), Frozen(2), WithMeta(), Hooked()]
    objects += [Described(), Concrete(), Worse(1, why=2), Pair(1), Typed(2), Shape(), Gen(), One()]
    return definitions + objects


OBJECTS = (Kind, Private, Point, Frozen, WithMeta, Hook, Described, Concrete, Bad, Pair, Typed)
OBJECTS += (Shape, Gen, One)


def same(left, right):
    """Tell whether two parts are one definition, or objects of one class."""
    return left is right or (type(left) is type(right) and isinstance(left, OBJECTS))


def exec_task(client_socket, state, args):
    if args == "checks":
        client_socket.respond(checks())
        return
    place, part = args
    client_socket.respond((same(everything()[place], part), part))
