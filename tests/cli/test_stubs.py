"""`bgpy stubs`: stubs of a server's class that Python and type checkers can read."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

import bgpy

from .serving import shop

__all__ = ["shop"]

SYNC_USE = """\
from stubbed import Counter

def use(counter: Counter) -> int:
    for word in counter.words("a"):
        word.upper()
    value: int = counter.value
    value += counter.increase(by="a")
    return value
"""
ASYNC_USE = """\
from stubbed import Counter

async def use(counter: Counter) -> int:
    async for word in counter.words("a"):
        word.upper()
    value: int = await counter.value
    value += await counter.increase(by="a")
    return value
"""
ANNOTATIONS = [
    "int",
    "list[",
    "import os",
    "x if y else z",
    "print('x')",
    "'",
    "\\",
    "int\nimport os",
    "lambda: 0",
    "Literal['a\\n']",
    'Literal[\'"""\']',
    "list[[[int]]]",
    "a.b.c[d]",
    "yield",
    "*int",
    "int)",
    "()",
    "1",
    "dict[str, 'list[\"int\"]']",
    "list" + "[list" * 200,
    "é.É",
    "None | int",
    "Callable[[], ...]",
    "...",
]


def stub(commands, target, *options):
    """Return the text and the class of a stub."""
    code, text, words = commands.run("stubs", target, *options)
    assert (code, words) == (0, "")
    (made,) = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    return text, made


def heads(made):
    """Return the definitions of a class, without docstrings."""
    found = []
    for node in made.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [ast.Expr(ast.Constant(...))]
            found.append(ast.unparse(node))
    return found


def test_for_asyncio(each_form, shop):
    text, made = stub(each_form, "counter")
    assert made.name == "Counter"
    assert ast.get_docstring(made) == 'Counts.\n\nIt says "how often".'
    assert ast.get_docstring(made.body[3]) == "Add to the value.\n\nReturns the new one."
    found = heads(made)
    for head in (
        "async def increase(self, by: int=1, *, note: str='') -> int:\n    ...",
        "@property\ndef value(self) -> Awaitable[int]:\n    ...",
        "async def peek(self) -> Any:\n    ...",
        "async def echo(self, *values: Any, **named: Any) -> Any:\n    ...",
        "async def kind(self, path: Path, /) -> list[str]:\n    ...",
        "async def point(self) -> Point:\n    ...",
        "def words(self, text: str) -> AsyncIterator[str]:\n    ...",
        "def first(self, pipe: str) -> AsyncIterator[int | None]:\n    ...",
        "async def __aenter__(self) -> Counter:\n    ...",
    ):
        assert head in found
    assert "from counter import Point\n" in text
    assert "from pathlib import Path\n" in text
    assert "__len__" not in text


def test_for_blocking_proxies(commands, shop):
    text, made = stub(commands, "counter", "--sync")
    found = heads(made)
    for head in (
        "def increase(self, by: int=1, *, note: str='') -> int:\n    ...",
        "@property\ndef value(self) -> int:\n    ...",
        "def words(self, text: str) -> Iterator[str]:\n    ...",
        "def __len__(self) -> int:\n    ...",
        "def __enter__(self) -> Counter:\n    ...",
    ):
        assert head in found
    assert "async" not in text


@pytest.mark.parametrize("option", [(), ("--sync",)])
def test_a_type_checker_reads_it(commands, shop, tmp_path, option):
    program = ASYNC_USE if option == () else SYNC_USE
    (tmp_path / "stubbed.pyi").write_text(stub(commands, "counter", *option)[0])
    (tmp_path / "use.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "use.py"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert checked.stdout.splitlines()[:-1] == [
        'use.py:7: error: Argument "by" to "increase" of "Counter" has incompatible type "str"; '
        'expected "int"  [arg-type]'
    ]


def wild():
    """Return a class whose annotations, defaults and docstrings are as unlucky as can be."""

    class Wild:
        r'''"""\\'''

    class Default:
        def __repr__(self):
            return "<default>\n'''\"\"\""

    def odd(self):
        pass

    for name in ("not a name", "class", "ünï"):
        setattr(Wild, name, odd)
    for number, annotation in enumerate(ANNOTATIONS):

        def function(self, first, second=None, *, third=number):
            pass

        def stream(self):
            yield

        function.__annotations__ = {"first": annotation, "third": annotation, "return": annotation}
        function.__defaults__ = (Default(),)
        function.__doc__ = f'"""\\ {annotation} \x00 "'
        stream.__annotations__ = {"return": f"Iterator[{annotation}]"}
        setattr(Wild, f"method_{number}", function)
        setattr(Wild, f"stream_{number}", stream)
    return Wild


@pytest.mark.parametrize("options", [(), ("--sync",)])
def test_whatever_annotations_say(commands, runtime, options):
    bgpy.start(wild(), name="wild")
    text, made = stub(commands, "wild", *options)
    assert made.name == "Wild"
    compile(text, "wild.pyi", "exec")
    # Two for its block, and the docstring of the class.
    assert len(made.body) == 3 + 2 * len(ANNOTATIONS) + 1
    imported = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import)]
    assert "os" not in [alias.name for node in imported for alias in node.names]
    assert "first: dict[str, list[int]], second: Any=..., *" in "".join(heads(made))


def test_a_server_of_tasks(camera):
    code, data, words = camera.run("stubs", "camera")
    assert (code, data) == (1, "")
    assert words == "error: camera has no methods: it runs tasks, which have no methods\n"
