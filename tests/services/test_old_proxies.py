"""A proxy whose server was started again with another class."""

from __future__ import annotations

import pytest

import bgpy

BEFORE = """
class Thing:
    def grown(self, a):
        return a

    def lost(self):
        return 1

    def value(self):
        return "one"

    def values(self):
        yield "one"

    @property
    def field(self):
        return "one"

    def read(self, place):
        return place

    async def later(self):
        return "one"
"""

AFTER = """
import bgpy


class Thing:
    def grown(self, a, b):
        return [a, b]

    def value(self):
        yield "two"

    def values(self):
        return "two"

    def field(self):
        return "two"

    @property
    def read(self):
        return "two"

    @bgpy.method(read=True)
    def later(self):
        return "two"

    def new(self):
        return "two"
"""


@pytest.fixture(params=["replaced", "started again"])
def thing(request, host, tmp_path):
    """Return the proxy of a server that was started again with another class."""
    path = tmp_path / "thing.py"
    path.write_text(BEFORE)
    server = host(f"{path}:Thing")
    thing = bgpy.connect("thing").service()
    assert thing.grown(1) == 1
    path.write_text(AFTER)
    if request.param == "replaced":
        host(f"{path}:Thing", replace=True)
    else:
        server.stop()
        host(f"{path}:Thing")
    return thing


def test_what_is_as_before_goes_on(thing):
    assert thing.field == "two"
    assert thing.later() == "two"


def test_what_has_changed_says_so(thing):
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'b'"):
        thing.grown(1)
    with pytest.raises(AttributeError, match="no method 'lost'"):
        thing.lost()
    with pytest.raises(TypeError, match="value of Thing yields values, .*: connect again"):
        thing.value()
    with pytest.raises(TypeError, match="value of Thing yields values, .*: connect again"):
        bgpy.submit(thing.value).result()
    with pytest.raises(TypeError, match="values of Thing yields none, .*: connect again"):
        list(thing.values())
    with pytest.raises(TypeError, match="read of Thing is a property, .*: connect again"):
        thing.read("here")


def test_what_only_the_server_knows_needs_another_proxy(thing):
    hint = "if the server was started again since you connected, connect again"
    with pytest.raises(TypeError, match=f"too many positional arguments; {hint}"):
        thing.grown(1, 2)
    with pytest.raises(AttributeError, match=f"no method or property 'new'; {hint}"):
        thing.new()
    again = bgpy.connect("thing").service()
    assert (again.grown(1, 2), again.new(), list(again.value())) == ([1, 2], "two", ["two"])
    with pytest.raises(TypeError) as raised:
        again.grown(1, 2, 3)
    assert hint not in str(raised.value)
