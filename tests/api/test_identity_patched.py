"""What a server has put in the place of methods of a class stays when the class comes again."""

from __future__ import annotations

import pytest
from support.scripts import Scripts

SERVER = """
import functools
from bgpy import respond

LEVEL = "of the server"

def method(self, by="of the server"):
    return LEVEL, by

def wrap(function):
    @functools.wraps(function)
    def wrapper(*args):
        return "around", function(*args)
    return wrapper

class Inner:
    pass

def patch(cls):
    cls.method = method
    cls.of_class = classmethod(lambda cls: "patched")
    cls.of_nobody = staticmethod(lambda: "patched")
    cls.shown = property(lambda self: "patched")
    cls.kept = functools.cached_property(lambda self: "patched")
    cls.kept.__set_name__(cls, "kept")
    cls.cached = functools.cache(lambda self: "patched")
    cls.half = functools.partialmethod(lambda self, by: by, "patched")
    cls.wrapped = wrap(cls.wrapped)
    cls.noted = lambda self: "patched"
    cls.as_value = "patched"
    cls.__repr__ = lambda self: "patched"
    cls.Inner = Inner
    del cls.gone

def look(cls):
    made = cls()
    as_value = made.as_value
    return {
        "method": made.method(),
        "of_class": cls.of_class(),
        "of_nobody": cls.of_nobody(),
        "shown": made.shown,
        "kept": made.kept,
        "cached": made.cached(),
        "half": made.half(),
        "wrapped": made.wrapped(),
        "noted": made.noted(),
        "as_value": as_value() if callable(as_value) else as_value,
        "repr": repr(made),
        "Inner": cls.Inner.__module__,
        "gone": hasattr(cls, "gone"),
        "plain": made.plain(),
        "counted": made.counted(),
        "level": made.level,
        "new": getattr(cls, "new", None),
    }

def init_task():
    return {}

def exec_task(client_socket, state, args):
    act, cls = args
    if act == "patch":
        patch(cls)
    respond(client_socket, look(cls))

def exit_task(client_socket, state, args):
    pass
"""

SCRIPT = """
import functools, sys
from bgpy import connect

LEVEL = "of the client"
COUNT = 0

def note(times):
    def around(function):
        calls = 0
        def wrapper(*args):
            nonlocal calls
            calls += times
            return function(*args)
        return wrapper
    return around

class Twin:
    level = 1

    def method(self, by="of the client"):
        return LEVEL, by

    @classmethod
    def of_class(cls):
        return "sent"

    @staticmethod
    def of_nobody():
        return "sent"

    @property
    def shown(self):
        return "sent"

    @functools.cached_property
    def kept(self):
        return "sent"

    @functools.cache
    def cached(self):
        return "sent"

    half = functools.partialmethod(lambda self, by: by, "sent")

    def wrapped(self):
        return "sent"

    @note(1)
    def noted(self):
        return "sent"

    def as_value(self):
        return "sent"

    def __repr__(self):
        return "sent"

    class Inner:
        pass

    def gone(self):
        return "sent"

    def plain(self):
        return LEVEL

    def counted(self):
        return COUNT

client = connect(f"127.0.0.1:{sys.argv[1]}")
client.call(("look", Twin))
before = client.call(("patch", Twin))
patched = {name for name, value in before.items() if value == "patched"}
assert len(patched) == 9, before
assert before["method"] == ("of the server", "of the server"), before
assert before["wrapped"] == ("around", "sent"), before
assert not before["gone"], before
assert before["Inner"] != __name__
for change in CHANGES:
    exec(change, globals())
    after = client.call(("look", Twin))
    print({name: value for name, value in after.items() if value != before[name]})
"""

# A change of the client, and what has changed on the server then: nothing else may.
CHANGES = {
    "": "{}",
    "Twin.new = 1": "{'new': 1}",
    "Twin.level = 2": "{'level': 2}",
    "Twin.plain = lambda self: 'edited'": "{'plain': 'edited'}",
    "LEVEL = 'other'": "{'plain': 'other'}",
    "COUNT += 1; Twin.new = 2": "{'counted': 1, 'new': 2}",
    "Twin().noted(); Twin.new = 3": "{'new': 3}",
    "Twin.method = lambda self: 'edited'": "{'method': 'edited'}",
    "Twin.shown = property(lambda self: 'edited')": "{'shown': 'edited'}",
    "Twin.noted = note(2)(lambda self: 'edited')": "{'noted': 'edited'}",
    "Twin.half = functools.partialmethod(lambda self, by: by, 'edited')": "{'half': 'edited'}",
    "Twin.__repr__ = lambda self: 'edited'": "{'repr': 'edited'}",
    "Twin.Inner = type('Inner', (), {})": "{'Inner': '__main__'}",
}


@pytest.fixture
def port(start, tmp_path):
    """Return the port of a server that patches classes."""
    file = tmp_path / "patches.py"
    file.write_text(SERVER)
    return start(init_file=file).port


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_server_has_patched_stays(scripts: Scripts, port, change):
    # Twice, as the second one is compared with the first.
    text = f"CHANGES = {[change, '']!r}\n{SCRIPT}"
    assert scripts.run(text, port) == 2 * f"{CHANGES[change]}\n"


def test_changes_one_after_the_other(scripts: Scripts, port):
    changes = ["Twin.new = 1", "", "Twin.level = 2", "Twin.plain = lambda self: 'edited'"]
    told = ["{'new': 1}", "{'new': 1}", "{'level': 2, 'new': 1}"]
    told.append("{'plain': 'edited', 'level': 2, 'new': 1}")
    text = f"CHANGES = {changes!r}\n{SCRIPT}"
    assert scripts.run(text, port).splitlines() == told


BACK = """
from bgpy import respond

def init_task():
    return {}

def exec_task(client_socket, state, args):
    act, cls = args
    if act == "patch":
        state["own"], cls.method = cls.method, lambda self: "patched"
    elif act == "undo":
        cls.method = state.pop("own")
    respond(client_socket, cls().method())

def exit_task(client_socket, state, args):
    pass
"""

UNDONE = """
import sys
from bgpy import connect

class Twin:
    factor = 2

    def method(self):
        return self.factor

client = connect(f"127.0.0.1:{sys.argv[1]}")
for act in ("look", "patch", "look", "undo", "look"):
    print(client.call((act, Twin)), end=" ")
    Twin.factor += 1
"""


def test_what_is_put_back_is_the_senders_again(scripts: Scripts, start, tmp_path):
    file = tmp_path / "back.py"
    file.write_text(BACK)
    assert scripts.run(UNDONE, start(init_file=file).port) == "2 patched patched 5 6 "
