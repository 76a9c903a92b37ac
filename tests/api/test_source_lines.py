"""Tracebacks show the source of functions that are from no file, such as cells of a notebook."""

from __future__ import annotations

import linecache
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bgpy import RemoteError, respond
from bgpy._by_value import dumps
from bgpy._code.content import Content
from bgpy._code.source_lines import source_of, with_source
from bgpy._code.table import TIES

RAISES = """
import functools

def exec_task(client_socket, state, args):
    return 1 / args  # {}
"""


@pytest.fixture
def cell() -> Iterator[Callable[..., Any]]:
    """Return a function that runs a cell as a notebook does, and returns one of its functions."""
    before = dict(linecache.cache)

    def cell(text: str, file: str = "<cell 1>", name: str = "exec_task") -> Any:
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        found: dict[str, Any] = {"__name__": "cells"}
        exec(compile(text, file, "exec"), found)
        return found[name]

    yield cell
    linecache.cache.clear()
    linecache.cache.update(before)


def traceback_of(client, args):
    with pytest.raises(RemoteError) as caught:
        client.call(args)
    return caught.value.remote_traceback


def test_a_traceback_shows_the_line_of_a_cell(serve, cell):
    told = traceback_of(serve(cell(RAISES.format("shown"))), 0)
    assert 'File "<cell 1>", line 5, in exec_task\n    return 1 / args  # shown\n' in told


def run(client_socket, state, args):
    function, *values = args
    respond(client_socket, function(*values))


def test_senders_whose_cells_have_the_same_name_see_their_own_lines(serve, cell):
    client = serve(run)
    first = cell("def f(x):\n    return 1 / x  # first\n", name="f")
    second = cell("def f(x, y=2):\n    return y / x  # second\n", name="f")
    # A third one adds to what is known of the first.
    third = cell("def f(x):\n    return 1 / x  # first\n\ndef g(x): return 2 / x\n", name="g")
    told = []
    for function, text in ((first, "first"), (second, "second")):
        cell(f"def f(x{', y=2' * (text == 'second')}):\n    return 1 / x  # {text}\n", name="f")
        told.append(traceback_of(client, (function, 0)))
    cell("def f(x):\n    return 1 / x  # first\n\ndef g(x): return 2 / x\n", name="g")
    told.append(traceback_of(client, (third, 0)))
    assert "return 1 / x  # first" in told[0]
    assert 'File "<cell 1> (2)", line 2, in f' in told[1]
    assert "return 1 / x  # second" in told[1]
    assert 'File "<cell 1>", line 4, in g\n    def g(x): return 2 / x' in told[2]


def test_methods_and_inner_functions_have_lines_as_well(serve, cell):
    text = """
class Model:
    def predict(self, x):
        def inner():
            return [1 / it for it in [x]]  # inner
        return inner()

    scale = lambda self, x: 2 / x  # scaled

def exec_task(client_socket, state, args):
    getattr(Model(), args)(0)
"""
    client = serve(cell(text))
    assert "return [1 / it for it in [x]]  # inner" in traceback_of(client, "predict")
    assert "scale = lambda self, x: 2 / x  # scaled" in traceback_of(client, "scale")


def test_source_is_no_part_of_what_a_function_is(cell):
    text = "def f(seen=[]):\n    seen.append(1)\n    return len(seen)  # {}\n"
    first, second = (cell(text.format(word), f"<{word}>", "f") for word in ("one", "two"))
    assert source_of(first.__code__) != source_of(second.__code__)
    assert Content().digests(first)[0][:TIES] == Content().digests(second)[0][:TIES]


def make_another(function):
    return type(function)(function.__code__, {"__name__": "cells"})


def test_a_function_comes_back_with_its_lines(serve, cell):
    client = serve(run)
    text = "def make():\n    def inner(x):\n        return 1 / x  # made\n    return inner\n"
    made = client.call((cell(text, name="make"),))
    assert made.__code__.co_filename == "<cell 1>"
    linecache.cache.pop("<cell 1>")
    made = client.call((make_another, made))
    with pytest.raises(ZeroDivisionError) as caught:
        made(0)
    assert "return 1 / x  # made" in "".join(traceback.format_exception(caught.value))


def test_a_function_of_a_file_brings_no_source():
    assert linecache.getlines(__file__)
    assert source_of(run.__code__) is None
    assert b"function, *values = args" not in dumps(run, 0)[0]


def test_lines_of_other_code_with_the_same_name_are_not_sent(cell):
    function = cell("def f(x):\n    return 1 / x\n", "<string>", "f")
    assert source_of(function.__code__) is not None
    cell("print(f := 1)\nf + 1\n", "<string>", "f")
    assert source_of(function.__code__) is None


def test_the_source_that_travels_is_limited(cell):
    text = "def f(x):\n    a = 1\n" + "    # filler filler\n" * 10_000 + "    return x\n"
    name, first, sent = source_of(cell(text, name="f").__code__)
    assert (name, first) == ("<cell 1>", 1)
    assert text.startswith(sent)
    assert 60_000 < len(sent) <= 1 << 16


def test_what_is_kept_of_the_source_that_arrives_is_limited():
    script = """
import linecache
from bgpy._code.source_lines import with_source

code = compile("x = 1", "<x>", "exec")
for number in range(2000):
    with_source(code, (f"<cell {number}>", 1, f"x = {number}  # " + "filler" * 1000))
with_source(code, ("<cell far>", 10**9, "x"))
own = [file for file in linecache.cache if file.startswith("<cell")]
print(len(own), sum(len(linecache.getline(file, 1)) for file in own), "<cell 1999>" in own)
print("<cell far>" in own)
"""
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    (count, size, has_last), (has_far,) = (line.split() for line in told.stdout.splitlines())
    assert int(count) <= 256
    assert int(size) <= 1 << 20
    assert (has_last, has_far) == ("True", "False")


def test_code_of_a_known_name_keeps_its_own_lines():
    linecache.cache["<known>"] = (6, None, ["known\n"], "<known>")
    code = compile("x = 1", "<known>", "exec")
    assert with_source(code, ("<known>", 1, "x = 1")).co_filename == "<known> (2)"
    assert linecache.getline("<known>", 1) == "known\n"
    assert linecache.getline("<known> (2)", 1) == "x = 1\n"


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the prompt keeps no source before")
def test_a_prompt_brings_its_lines():
    typed = """
import bgpy
def exec_task(client_socket, state, args):
    return 1 / args  # typed

server = bgpy.start((dict, exec_task))
try: bgpy.connect(server.target).call(0)
except Exception as error: print(error.remote_traceback)

server.stop()
"""
    command = [sys.executable, "-i"]
    told = subprocess.run(command, input=typed, capture_output=True, text=True, check=True)
    assert "return 1 / args  # typed" in told.stdout
