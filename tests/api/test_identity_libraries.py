"""Classes of libraries that make classes in a way of their own."""

from __future__ import annotations

import functools
from typing import Generic, TypeVar

import pytest

from bgpy import respond

T = TypeVar("T")


def check(serve, made, uses):
    """Have a server use objects, and return them; each is of one class there and here."""

    def exec_task(client_socket, state, args):
        place, part = args
        own = made()
        respond(client_socket, (type(own[place]) is type(part), part, uses(own)))

    client = serve(exec_task)
    here = made()
    for place, part in enumerate(here):
        is_own, back, told = client.call((place, part))
        assert is_own
        assert type(back) is type(part)
        assert back == part
        assert told == uses(made())


def test_attrs(serve):
    attrs = pytest.importorskip("attrs")

    @attrs.frozen
    class Frozen:
        a: int = attrs.field(validator=attrs.validators.instance_of(int))
        b: list = attrs.Factory(list)

    @attrs.define
    class Open:
        x: int = 1

        def own(self):
            return super().__hash__ is not None and __class__ is Open

    def uses(made):
        with pytest.raises(TypeError):
            Frozen("x")
        return attrs.evolve(made[0], a=3), made[1].own(), attrs.asdict(made[0])

    check(serve, lambda: [Frozen(1), Open(2)], uses)


def test_pydantic(serve):
    pydantic = pytest.importorskip("pydantic")

    class Inner(pydantic.BaseModel):
        a: int = pydantic.Field(gt=0)

        @pydantic.field_validator("a")
        @classmethod
        def double(cls, value):
            return value * 2

    class Outer(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(frozen=True)
        inner: Inner
        _private: int = 3

    class Holder(pydantic.BaseModel, Generic[T]):
        value: T

    def uses(made):
        with pytest.raises(pydantic.ValidationError):
            Inner(a=-1)
        return made[1].model_dump(), made[2].value

    def made():
        return [Inner(a=1), Outer(inner=Inner(a=1)), Holder[int](value="3")]

    check(serve, made, uses)


def test_msgspec(serve):
    msgspec = pytest.importorskip("msgspec")

    class Record(msgspec.Struct, frozen=True, tag="record", kw_only=True, rename="camel"):
        long_name: int
        more: list = []  # noqa: RUF012
        other: dict = msgspec.field(default_factory=dict)

        def own(self):
            return type(self) is Record

    class Deeper(Record, frozen=True, tag="deeper"):
        text: str = "q"

    def uses(made):
        with pytest.raises(AttributeError):
            made[0].long_name = 3
        encoded = msgspec.json.encode(made[1])
        return made[0].own(), encoded, msgspec.json.decode(encoded, type=Deeper) == made[1]

    check(serve, lambda: [Record(long_name=1), Deeper(long_name=2)], uses)


def test_a_class_that_is_cached_in_itself(serve):
    class Own:
        held: list = []  # noqa: RUF012
        first = None

        def __init__(self, number):
            self.number = number

        def __eq__(self, other):
            return type(other) is Own and other.number == self.number

        __hash__ = None

        @functools.cached_property
        def double(self):
            return 2 * self.number

        @classmethod
        def make(cls, number):
            return cls(number)

        def __reduce__(self):
            return Own.make, (self.number,)

    Own.first = Own(7)
    Own.held.append(Own)
    check(serve, lambda: [Own(1), Own(2)], lambda made: (Own.first.double, Own.held[0] is Own))
