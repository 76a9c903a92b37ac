"""The documentation site has all of the documents, and the reference all of the names."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import bgpy

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def build():
    """Return the script that puts the site together."""
    spec = importlib.util.spec_from_file_location("build", DOCS / "site" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_link_leads_to_a_page_or_to_the_web(build, tmp_path):
    build.gather(tmp_path / "pages")
    pages = list((tmp_path / "pages").rglob("*.md"))
    assert len(pages) > 40
    for page in pages:
        for _, path, _ in build.LINK.findall(build.FENCE.sub("", page.read_text())):
            is_there = (page.parent / path).exists()
            assert is_there or path.startswith("https://"), f"{page}: {path}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[a](other.md#part)", "[a](../b/other.md#part)"),
        ("[other.md](other.md)", "[Other one](../b/other.md)"),
        ("[a](code.py)", "[a](https://web/blob/HEAD/code.py)"),
        ("[a](folder)", "[a](https://web/tree/HEAD/folder)"),
        ("[a](https://example.org/x.md)", "[a](https://example.org/x.md)"),
        ("```text\n[a](gone.md)\n```\n", "```text\n[a](gone.md)\n```\n"),
    ],
)
def test_links_of_the_repository_become_those_of_the_site(
    build, tmp_path, monkeypatch, text, wanted
):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    source, other = tmp_path / "page.md", tmp_path / "other.md"
    source.write_text(text)
    other.write_text("# Other one\n")
    (tmp_path / "code.py").touch()
    (tmp_path / "folder").mkdir()
    where = {source: Path("a/page.md"), other: Path("b/other.md")}
    assert build.linked(source, where, "https://web") == wanted


def test_a_link_to_nothing_is_refused(build, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    source = tmp_path / "page.md"
    source.write_text("[a](gone.md)")
    with pytest.raises(SystemExit, match=r"page\.md links to gone\.md, which is not there"):
        build.linked(source, {source: Path("page.md")}, "https://web")


def test_the_reference_has_every_public_name():
    pages = "".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    # `bgpy.client` is also a module, which the site would take for the function.
    described = set(re.findall(r"^::: bgpy\.(?:_services\.proxy\.)?(\w+)$", pages, re.MULTILINE))
    assert "errors" in described
    errors = {name for name, value in vars(bgpy.errors).items() if isinstance(value, type)}
    assert described - {"errors"} | errors == set(bgpy.__all__) - {"__version__"}


def test_the_navigation_names_every_command():
    config = tomllib.loads((DOCS / "site" / "zensical.toml").read_text())
    text = str(config["project"]["nav"])
    for page in (DOCS / "commands").glob("*.md"):
        assert f"'commands/{page.name}'" in text, page


def test_the_site_asks_nobody_else_for_anything():
    config = tomllib.loads((DOCS / "site" / "zensical.toml").read_text())
    assert "repo_url" not in config["project"]
    assert config["project"]["theme"]["font"] is False
