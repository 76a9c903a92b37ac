"""Puts the pages of the documentation site together and builds it; `make docs` runs this.

The pages are the Markdown files of the repository, where they are. Their links lead to files of
the repository, so that they work there, too; here they become links between pages of the site, or,
for a file that is no page, links to the repository on the web. This script knows nothing of what
the pages say.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SITE = ROOT / ".site"
CONFIG = DOCS / "site" / "zensical.toml"
FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^]]*)\]\(([^)\s#]+)((?:#[^)\s]*)?)\)")
ASSETS = {".css", ".png", ".svg"}


def main() -> int:
    """Build the site into .site/html, and return the exit code: not 0 after any warning."""
    gather(SITE / "pages")
    shutil.copy(CONFIG, SITE / CONFIG.name)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "-f", CONFIG.name]
    # The extension of griffe that the configuration names is beside this file.
    environment = os.environ | {"PYTHONPATH": str(CONFIG.parent)}
    built = subprocess.run(
        command,
        cwd=SITE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(built.stdout)
    # What griffe finds wrong with a docstring is no issue to the builder.
    return built.returncode or int("griffe: " in built.stdout)


def gather(folder: Path) -> None:
    """Lay out in a folder all that the site is made of."""
    project = tomllib.loads(CONFIG.read_text())["project"]
    web = project["extra"]["social"][0]["link"]
    known = files()
    nav = named_in(project["nav"])
    forgotten = {page for page in known if page.suffix == ".md"} - nav - NO_PAGES
    if forgotten or nav - known.keys():
        sys.exit(f"no files: {nav - known.keys()}; not in the navigation: {forgotten}")
    kept = {page: file for page, file in known.items() if page in nav or page.suffix in ASSETS}
    where = {file: page for page, file in kept.items()}
    shutil.rmtree(folder, ignore_errors=True)
    for page, source in kept.items():
        copy = folder / page
        copy.parent.mkdir(parents=True, exist_ok=True)
        if page.suffix == ".md":
            copy.write_text(linked(source, where, web))
        else:
            shutil.copy(source, copy)


# The README is the site in short.
NO_PAGES = {Path("README.md")}


def files() -> dict[Path, Path]:
    """Return the files that the site may be made of, by their paths within the site."""
    inside = {file.relative_to(DOCS): file for file in DOCS.rglob("*") if file.is_file()}
    return inside | {Path(file.name): file for file in ROOT.glob("*.md")}


def named_in(nav: object) -> set[Path]:
    """Return the pages that the navigation names."""
    match nav:
        case str():
            return {Path(nav)}
        case list():
            return set().union(*map(named_in, nav))
        case dict():
            return set().union(*map(named_in, nav.values()))
    raise TypeError(f"the navigation cannot hold {nav!r}")


def linked(source: Path, where: dict[Path, Path], web: str) -> str:
    """Return a page whose links lead to where its files are on the site, or else on the web."""

    def link(found: re.Match[str]) -> str:
        text, path, anchor = found.groups()
        if re.match(r"[a-z]+:", path):
            return found[0]
        target = (source.parent / path).resolve()
        if not target.exists():
            sys.exit(f"{source.relative_to(ROOT)} links to {path}, which is not there")
        if target in where:
            name = title(target) if text.endswith(".md") else text
            return f"[{name}]({os.path.relpath(where[target], where[source].parent)}{anchor})"
        kind = "tree" if target.is_dir() else "blob"
        return f"[{text}]({web}/{kind}/HEAD/{target.relative_to(ROOT)}{anchor})"

    parts = FENCE.split(source.read_text())
    return "".join(part if FENCE.match(part) else LINK.sub(link, part) for part in parts)


def title(source: Path) -> str:
    """Return the heading of a page, by which readers of the site know it."""
    return source.read_text().partition("\n")[0].removeprefix("# ")


if __name__ == "__main__":
    sys.exit(main())
