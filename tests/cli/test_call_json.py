"""`bgpy call`: what is sent and printed as JSON, as text and as Python's repr."""

from __future__ import annotations

import json
import os

import pytest

TASKS = """
import array, collections, dataclasses, datetime, decimal, enum, fractions, ipaddress, math
import pathlib, sqlite3, types, uuid, zoneinfo

import attrs, numpy, pydantic
from bgpy import respond

class Colour(enum.Enum):
    RED = "red"

@dataclasses.dataclass
class Point:
    x: int
    y: object = None

@attrs.define
class Pair:
    a: int

@dataclasses.dataclass
class Empty:
    pass

@dataclasses.dataclass
class Both(dict):
    a: int

class Loud(str):
    def __str__(self):
        return "LOUD"

class Sly:
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda: "called " + name

class datetime64:
    pass

class DataFrame:
    pass

class Extra(pydantic.BaseModel, extra="allow"):
    a: int

Row = collections.namedtuple("Row", "id name")

def rows():
    with sqlite3.connect(":memory:") as database:
        return database.execute("values (1, 'a'), (2, null)").fetchall()

def circle():
    items = []
    items.append(items)
    return items

def exec_task(client_socket, state, args):
    respond(client_socket, eval(args))

def init_task():
    return {}

def exit_task(client_socket, state, args):
    pass
"""

FORMS = {
    "(1, (2,), [])": [1, [2], []],
    "{3, 1, 2}, frozenset('ab')": [[1, 2, 3], ["a", "b"]],
    "collections.deque([1]), range(2), array.array('d', [0.5])": [[1], [0, 1], [0.5]],
    "rows()": [[1, "a"], [2, None]],
    "[Row(1, 'a')]": [{"id": 1, "name": "a"}],
    "Point(1, Point(2))": {"x": 1, "y": {"x": 2, "y": None}},
    "Pair(1), types.SimpleNamespace(b=2)": [{"a": 1}, {"b": 2}],
    "collections.Counter('aab')": {"a": 2, "b": 1},
    "{1: 'a', None: 2, 0.5: 3, False: 4}": {"1": "a", "null": 2, "0.5": 3, "false": 4},
    "{datetime.date(2026, 1, 2): 1, Colour.RED: 2}": {"2026-01-02": 1, "red": 2},
    "[math.nan, math.inf, decimal.Decimal('nan')]": [None, None, None],
    "2**100, -(10**5000)": [2**100, -(10**5000)],
    "datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))": (
        "2026-07-01T00:00:00+02:00"
    ),
    "datetime.time(1, 2), datetime.timedelta(minutes=1.5)": ["01:02:00", 90.0],
    "decimal.Decimal('1.10'), uuid.UUID(int=1)": ["1.10", "00000000-0000-0000-0000-000000000001"],
    "pathlib.PurePosixPath('a/b'), ipaddress.ip_address('::1')": ["a/b", "::1"],
    "Colour.RED": "red",
    "numpy.array(['2026-01-02', 'NaT'], 'M8[ns]')": ["2026-01-02T00:00:00.000000000", None],
    "[numpy.timedelta64(1500, 'ms'), numpy.timedelta64(1500, 'ns')]": [1.5, 1.5e-06],
    "numpy.datetime64('NaT'), numpy.array([1, 'NaT'], 'm8[s]')": [None, [1.0, None]],
    "Loud('text'), collections.UserString('b')": ["text", "b"],
    "{frozenset('ab'), frozenset('cd')}": [["a", "b"], ["c", "d"]],
    "Empty(), {10**5000: 1}": [{}, {str(10**4)[0] + "0" * 5000: 1}],
    "Extra(a=1, b=2)": {"a": 1, "b": 2},
    "numpy.float32(0.5), numpy.int64(3), numpy.bool_(True)": [0.5, 3, True],
    "numpy.arange(4).reshape(2, 2), numpy.array(3)": [[[0, 1], [2, 3]], 3],
    "numpy.datetime64('2026-01-02'), numpy.float64('nan')": ["2026-01-02", None],
    "[Point(numpy.int8(1), {numpy.int64(2): (3,)})]": [{"x": 1, "y": {"2": [3]}}],
}

NONE = {
    "Sly()": "it is an object of the class",
    "datetime64()": "it is an object of the class",
    "DataFrame()": "it is an object of the class",
    "Both(a=1)": "it has items and fields",
    "range(10**12)": "it has 1000000000000 items",
    "numpy.timedelta64(3, 'M')": "cannot be shown",
    "pathlib.PurePosixPath('a' + chr(0xdcff))": "not valid Unicode",
    "{'deep': [1, b'x']}": "response['deep'][1] has no form in JSON: it is an object of the class",
    "1j": "complex",
    "fractions.Fraction(1, 3)": "fractions.Fraction",
    "{1: 'a', '1': 'b'}": "two of its keys would be '1'",
    "{(1, 2): 3}": "a key of response has no form",
    "'\\udc80'": "not valid Unicode",
    "circle()": "contains itself",
    "Point": "it is an object of the class type",
}


@pytest.fixture
def shapes(each_form, tmp_path):
    """Start a server that answers with any object."""
    (tmp_path / "shapes.py").write_text(TASKS)
    assert each_form.run("start", tmp_path / "shapes.py")[0] == 0
    yield each_form
    assert each_form.run("stop", "shapes")[0] == 0


def test_objects_have_their_usual_form(shapes):
    for answer, form in FORMS.items():
        code, data, words = shapes.run("call", "shapes", "--text", answer)
        assert (code, words, data.count("\n")) == (0, "", 1), (answer, words)
        assert parsed(data) == form, answer


def parsed(data):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    # Python itself refuses to convert integers of more than 4300 digits.
    return json.loads(data, parse_constant=refuse, parse_int=lambda text: eval_int(text))


def eval_int(text):
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text)
    number = 0
    for start in range(0, len(digits), 1000):
        piece = digits[start : start + 1000]
        number = number * 10 ** len(piece) + int(piece)
    return sign * number


def test_what_has_no_form_is_an_error_that_names_the_part(shapes):
    for answer, words_wanted in NONE.items():
        code, data, words = shapes.run("call", "shapes", "--text", answer)
        assert (code, data) == (1, ""), answer
        assert words_wanted in words
        assert ("--repr" in words) == ("cannot be shown" not in words)
        assert words.startswith("error: ")
        assert words.count("\n") == 1
        code, data, words = shapes.run("call", "shapes", "--text", answer, "--repr")
        assert (code, words, data.count("\n")) == (0, "", 1), answer


def test_the_repr_is_that_of_python(shapes):
    for answer in ("(1, 2)", "1", "'text'", "numpy.arange(3)", "{1, 2}"):
        code, data, _ = shapes.run("call", "shapes", "--text", answer, "--repr")
        wanted = "array([0, 1, 2])" if "numpy" in answer else repr(eval(answer))
        assert (code, data) == (0, wanted + "\n")


def test_text_is_sent_as_it_is(camera, tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("{no JSON}\n")
    for argument, given, text in [
        ("hello", None, "hello"),
        ("{'a': 1}", None, "{'a': 1}"),
        ("-", "from a pipe\n", "from a pipe\n"),
        (f"@{path}", None, "{no JSON}\n"),
        ("", None, ""),
    ]:
        code, data, words = camera.run("call", "camera", "--text", argument, given=given)
        assert (code, words) == (0, "")
        assert json.loads(data)["args"] == text


@pytest.mark.parametrize(
    ("argument", "advice"),
    [
        ("don't", """'"don'\\''t"' or --text"""),
        ("{'a': [None, True]}", """write it as '{"a": [null, true]}'"""),
        ("None", "write it as 'null'"),
        ("{", "not valid JSON"),
        ("", "use null for None, or --text ''"),
        ("@missing.json", "cannot read 'missing.json'"),
    ],
)
def test_an_argument_that_is_no_json_is_told_how_to_write_it(commands, argument, advice):
    code, data, words = commands.run("call", "camera", argument)
    assert (code, data) == (2, "")
    assert words.startswith("error: ")
    assert advice in words


NOISY = """
print("the module says hello")

class Quiet:
    x = 1

    def __reduce__(self):
        return tuple, ([1, "\u00e9"],)
"""


def test_what_modules_of_the_answer_print_is_no_part_of_it(each_form, tmp_path, monkeypatch):
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "noisy.py").write_text(NOISY + "\ndef make(*items):\n    return items\n")
    (tmp_path / "asks.py").write_text(
        "from bgpy import respond\n"
        "class Asks:\n"
        "    def __reduce__(self):\n"
        "        import noisy\n"
        "        return noisy.make, (1, '\u00e9', {2})\n"
        "def init_task(): return {}\n"
        "def exec_task(client_socket, state, args): respond(client_socket, Asks())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "place"))
    assert each_form.run("start", tmp_path / "asks.py")[0] == 0
    for encoding in ("utf-8", "latin-1", "ascii"):
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        code, data, words = each_form.run("call", "asks", "1", env=environment)
        assert (code, json.loads(data)) == (0, [1, "\u00e9", [2]]), words
    assert each_form.run("stop", "asks")[0] == 0
