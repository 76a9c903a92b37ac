"""Dependencies in `crates/bgpy` point one way, as the table of layers in ARCHITECTURE.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rust_modules import Crate, Graph, Module, circles

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return Crate(ROOT / "crates" / "bgpy" / "src").dependencies()


def layers() -> list[str]:
    """Return the modules of the table of layers, from the ground up."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    section = text.partition("## The layers of crates/bgpy\n")[2].partition("\n#")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| [`")]
    return [name for row in rows for name in re.findall(r"\[`(\w+)", row)]


def shown(module: Module) -> str:
    return "::".join(module) or "lib.rs"


def test_each_module_stands_in_the_table(graph):
    assert sorted(layers()) == sorted({module[0] for module in graph if module})


def test_dependencies_point_to_the_ground(graph):
    order = layers()
    wrong = [
        f"{shown(module)} uses {shown(other)}"
        for module, others in graph.items()
        for other in others
        # The root has nothing but the version, and what it makes public.
        if module and other and order.index(module[0]) < order.index(other[0])
    ]
    assert not wrong


def test_no_more_than_two_files_use_each_other(graph):
    assert [sorted(map(shown, circle)) for circle in circles(graph) if len(circle) > 2] == []


def test_no_circle_spans_folders(graph):
    spanning = [circle for circle in circles(graph) if len({module[:-1] for module in circle}) > 1]
    assert [sorted(map(shown, circle)) for circle in spanning] == []


@pytest.mark.parametrize(
    ("code", "used"),
    [
        ("use crate::b::B;", {("b",)}),
        ("use super::b::{self, B as C};", {("b",)}),
        ("fn f() { crate::b::g() }", {("b",)}),
        ("use crate::B;", {("b",)}),
        ("#[cfg(test)]\nmod tests { use crate::b::B; }", set()),
        ("// use crate::b::B;", set()),
        ("use std::b::B;", set()),
    ],
)
def test_paths_are_followed(tmp_path, code, used):
    (tmp_path / "lib.rs").write_text("mod a;\nmod b;\npub use b::B;\n")
    (tmp_path / "a.rs").write_text(code)
    (tmp_path / "b.rs").write_text("pub struct B;\npub fn g() {}\n")
    assert Crate(tmp_path).dependencies()[("a",)] == used


def test_methods_that_a_type_calls_on_itself_are_followed(tmp_path):
    (tmp_path / "lib.rs").write_text("mod a;\nmod b;\nmod c;\n")
    (tmp_path / "a.rs").write_text("pub struct A<'a>;\nimpl A<'_> { fn f(&self) { self.g() } }\n")
    (tmp_path / "b.rs").write_text("use crate::a::A;\nimpl<'a> A<'a> {\n    fn g(&self) {}\n}\n")
    (tmp_path / "c.rs").write_text(
        "use crate::a::A;\ntrait T {}\nimpl T for A<'_> { fn t(&self) { self.g() } }\n"
    )
    graph = Crate(tmp_path).dependencies()
    assert graph == {(): set(), ("a",): {("b",)}, ("b",): {("a",)}, ("c",): {("a",), ("b",)}}


def test_circles_are_found():
    graph: Graph = {("a",): {("b",)}, ("b",): {("c",)}, ("c",): {("a",)}, ("d",): {("a",)}}
    assert circles(graph) == [{("a",), ("b",), ("c",)}]
