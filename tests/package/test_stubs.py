"""The stubs of the extension hold its docstrings, which editors show.

`BGPY_WRITE_STUBS=1` writes them: see `make pages`.
"""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import bgpy._bgpy

STUBS = Path(__file__).parents[2] / "python" / "bgpy" / "_bgpy.pyi"
INDENT = "    "


def documented(tree: ast.Module):
    """Yield each class and function of the stubs with the object that it describes."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and hasattr(bgpy._bgpy, node.name):
            found = getattr(bgpy._bgpy, node.name)
            yield node, found
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef) and inner.name not in ("__new__",):
                        yield inner, inspect.getattr_static(found, inner.name)


def docstring_of(found: object) -> str | None:
    if isinstance(found, (staticmethod, classmethod)):
        # One without a docstring has that of its class, `staticmethod`.
        found = found.__func__
    text = getattr(found, "__doc__", None)
    is_own = text and not (getattr(found, "__name__", "") or "").startswith("__")
    return inspect.cleandoc(text) if is_own else None


def written(text: str) -> str:
    """Return the stubs with the docstrings of the extension."""
    lines = text.splitlines()
    for node, found in reversed(list(documented(ast.parse(text)))):
        first = node.body[0]
        indent = " " * (node.col_offset + len(INDENT))
        is_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        is_empty = is_doc and first.value.value is ...
        docstring = docstring_of(found)
        if docstring is None:
            continue
        text = docstring.replace("\\", "\\\\") + ("\n" if "\n" in docstring else "")
        new = [f"{indent}{line}".rstrip() for line in f'"""{text}"""'.splitlines()]
        decorators = getattr(first, "decorator_list", [])
        place = min(it.lineno for it in [first, *decorators]) - 1
        if is_empty:
            # The body follows the colon, on the same line.
            lines[place] = lines[place][: first.col_offset].rstrip()
            lines[place + 1 : place + 1] = new
        else:
            lines[place : first.end_lineno if is_doc else place] = new
    text = "\n".join(lines) + "\n"
    command = [sys.executable, "-m", "ruff", "format", "-q", "--stdin-filename", STUBS.name, "-"]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=True, cwd=STUBS.parents[2]
    ).stdout


def test_the_stubs_have_the_docstrings_of_the_extension():
    text = STUBS.read_text()
    new = written(text)
    if os.environ.get("BGPY_WRITE_STUBS"):
        STUBS.write_text(new)
    else:
        assert new == text, "run `make pages`"


def test_everything_public_has_a_docstring():
    tree = ast.parse(STUBS.read_text())
    for node, _ in documented(tree):
        is_public = isinstance(node, ast.FunctionDef) or node.name in bgpy.__all__
        if is_public and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def test_no_docstring_is_that_of_a_decorator():
    assert docstring_of(staticmethod(len)) == docstring_of(len)
    assert docstring_of(classmethod(lambda cls: None)) is None
