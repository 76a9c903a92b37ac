"""`bgpy methods`: what a server's object has."""

from __future__ import annotations

import json

from .serving import shop

__all__ = ["shop"]


def test_a_table(each_form, shop):
    code, data, words = each_form.run("methods", "counter")
    assert (code, words) == (0, "")
    title, *rows = data.splitlines()
    assert title.split() == ["METHOD", "KIND", "RUNS", "DOES"]
    rows = {" ".join(row.split()) for row in rows}
    for row in (
        "increase(by: int = 1, *, note: str = '') -> int call exclusive Add to the value.",
        "value: int property exclusive How far it has counted.",
        "peek() call read",
        "soon(seconds: float = 0) -> bool call async",
        "echo(*values, **named) call exclusive",
        "kind(path: Path, /) -> list[str] call exclusive",
        "words(text: str) -> Iterator[str] stream exclusive",
        "__len__() -> int call exclusive",
    ):
        assert row in rows
    assert "_hidden" not in data


def test_for_scripts(commands, shop):
    code, data, _ = commands.run("methods", "counter", "-o", "json")
    table = json.loads(data)
    assert (code, table["class"]) == (0, "Counter")
    increase = next(method for method in table["methods"] if method["name"] == "increase")
    assert (increase["kind"], increase["runs"], increase["returns"]) == ("call", "exclusive", "int")
    assert "Returns the new one." in increase["doc"]
    by = {"name": "by", "kind": "any", "default": "1", "annotation": "int"}
    assert increase["parameters"][0] == by


def test_an_object_without_methods(commands, tmp_path):
    (tmp_path / "bare.py").write_text("class Bare:\n    pass\n")
    assert commands.run("start", tmp_path / "bare.py:Bare")[0] == 0
    code, data, words = commands.run("methods", "bare")
    assert (code, data.split()) == (0, ["METHOD", "KIND", "RUNS", "DOES"])
    assert words == "Bare on bare has no public methods or properties.\n"


def test_while_a_method_runs(commands, shop):
    process = commands.spawn("call", "counter", "train", shop.mark, shop.pipe)
    shop.wait_begun()
    assert "increase(" in commands.run("methods", "counter")[1]
    shop.pipe.write_text("done")
    assert process.communicate()[0] == '"done"\n'


def test_a_server_of_tasks(camera):
    code, data, words = camera.run("methods", "camera")
    assert (code, data) == (1, "")
    assert words == "error: camera has no methods: it runs tasks, which have no methods\n"


def test_no_server(commands):
    assert commands.run("methods", "nobody")[0] == 3
