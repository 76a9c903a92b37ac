"""What the documents show is run, and their links lead somewhere.

The language of a fenced block says what happens to it:

``python``
    A script, run as it stands. When its first line is a comment with a file name, it is saved under
    that name instead, and a command or an import behind it has to name it. ``#> `` comments are
    what it prints.
``console``
    A session: lines with ``$ `` are commands, and the lines below them what the user sees. Process
    ids and free ports may be others.
``sh``
    Commands, one a line, whose output does not matter.
anything else, such as ``text``
    Not run.

Commands are those of ``bgpy`` and ``python``; with a ``;``, ``|`` or ``>`` a shell runs the line. A
server that is started with `` &`` runs on; the section has to end it, as everything that it starts.
A section reaches from one ``##`` heading to the next, and its blocks share a directory. The pages
of the guide and the how-tos are read from top to bottom, so each of them is one section. Port 54321
stands for a free one, and the host gpu7 for this machine. Packages that are not installed may have
a stand-in here.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import bgpy

ROOT = Path(__file__).parents[2]
RUN = {"python", "console", "sh"}
BUILT = {"target", "dist", "build"}
FENCE = re.compile(r"^```(\w*)$")
NAME = re.compile(r"# ([\w.]+\.py)$")
SHELL = re.compile(r"[;|>]")
# Files of this repository, where relative links do not work.
OWN = "https://github.com/munterfi/bgpy/blob/HEAD/"

STAND_INS = Path(__file__).parent / "stand_ins"

# Pages that are read as a whole.
WHOLE = [ROOT / "docs" / page for page in ("index.md", "guide", "how-to", "migrate")]

COMMANDS = {"python": [sys.executable], "bgpy": [sys.executable, "-m", "bgpy"]}

# The functions of 0.1 have the port as a default, which a test cannot have to itself.
OTHER_PORT = """
import bgpy.interface

for function in vars(bgpy.interface).values():
    defaults = getattr(function, "__defaults__", None)
    if defaults:
        function.__defaults__ = tuple({port} if value == 54321 else value for value in defaults)
"""


@dataclass
class Block:
    language: str
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join([*self.lines, ""])


@dataclass
class Section:
    title: str
    blocks: list[Block] = field(default_factory=list)


def markdown() -> list[Path]:
    """Return the documents of the project, and none of what was built or installed."""
    folders = [
        path
        for path in ROOT.iterdir()
        if path.is_dir() and path.name[0] != "." and path.name not in BUILT
    ]
    inner = [document for folder in folders for document in folder.rglob("*.md")]
    own = [document for document in inner if not BUILT & set(document.relative_to(ROOT).parts)]
    return sorted([*ROOT.glob("*.md"), *own])


def sections(document: Path) -> Iterator[Section]:
    is_whole = any(document.is_relative_to(place) for place in WHOLE)
    section, block = Section(document.name), None
    for line in document.read_text().splitlines():
        fence = FENCE.match(line)
        if block is not None:
            if line == "```":
                block = None
            else:
                block.lines.append(line)
        elif fence:
            block = Block(fence[1])
            section.blocks.append(block)
        elif line.startswith("## ") and not is_whole:
            yield section
            section = Section(line.removeprefix("## "))
    assert block is None, f"a block of {document.name} has no end"
    yield section


def is_run(document: Path) -> bool:
    """Tell whether the snippets of a document are run: the README's, and those of documents."""
    if ROOT not in document.parents[:1] and ROOT / "docs" not in document.parents:
        return False
    blocks = [block for section in sections(document) for block in section.blocks]
    is_readme = document == ROOT / "README.md"
    return is_readme or any(block.language in RUN for block in blocks)


DOCUMENTS = [document for document in markdown() if is_run(document)]
SECTIONS = [
    pytest.param(section, id=f"{document.relative_to(ROOT)}: {section.title}")
    for document in DOCUMENTS
    for section in sections(document)
    if RUN & {block.language for block in section.blocks}
]


def settled(text: str) -> str:
    """Return what a command prints without the numbers that the system chooses."""
    return re.sub(r"(process |127\.0\.0\.1:)\d+", r"\1N", text)


class Session:
    """A directory, its files, and the commands that run in it."""

    def __init__(self, directory: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.directory = directory / "work"
        self.directory.mkdir()
        site = directory / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(OTHER_PORT.format(port=self.port))
        for package in STAND_INS.iterdir():
            if importlib.util.find_spec(package.name) is None:
                shutil.copytree(package, site / package.name)
        commands = directory / "bin"
        commands.mkdir()
        for name, command in COMMANDS.items():
            script = commands / name
            script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            script.chmod(0o755)
        path = os.pathsep.join([str(commands), os.environ["PATH"]])
        self.environment = os.environ | {"PYTHONPATH": str(site), "PATH": path}
        self.unnamed: set[str] = set()
        self.servers: list[subprocess.Popen[str]] = []

    def here(self, text: str) -> str:
        return text.replace("54321", str(self.port)).replace("gpu7", "127.0.0.1")

    def play(self, block: Block) -> None:
        match block.language:
            case "python":
                self.python(block)
            case "console":
                self.console(block)
            case "sh":
                for line in block.lines:
                    self.command(line)

    def python(self, block: Block) -> None:
        name = NAME.match(block.lines[0])
        path = self.directory / (name[1] if name else "snippet.py")
        path.write_text(self.here(block.text))
        imported = re.findall(r"^(?:from|import) (\w+)", block.text, re.MULTILINE)
        self.unnamed -= {f"{module}.py" for module in imported}
        if name:
            self.unnamed.add(name[1])
            return
        self.unnamed -= set(re.findall(r"[\w.]+\.py", block.text))
        printed = self.command(f"python {path.name}")
        wanted = re.findall(r"#> (.*)$", block.text, re.MULTILINE)
        assert printed.splitlines() == [self.here(line) for line in wanted]

    def console(self, block: Block) -> None:
        parts = re.split(r"^\$ (.*)$", block.text, flags=re.MULTILINE)
        assert not parts[0], "a console block begins with a command"
        for command, printed in zip(parts[1::2], parts[2::2], strict=True):
            wanted = self.here(printed.removeprefix("\n"))
            assert settled(self.command(command)) == settled(wanted), command

    def command(self, line: str) -> str:
        """Run a command and return what its user sees."""
        line = self.here(line)
        program, *arguments = shlex.split(line, comments=True)
        assert program in COMMANDS, f"not a command that can be run here, so no `sh`: {line}"
        self.unnamed -= set(arguments)
        is_shell = SHELL.search(re.sub(r"'[^']*'", "", line))
        command = ["sh", "-c", line] if is_shell else [*COMMANDS[program], *arguments]
        if command[-1] == "&":
            self.serve(command[:-1])
            return ""
        done = self.start(command)
        seen, _ = done.communicate(timeout=60)
        assert done.returncode == 0, seen
        return seen

    def serve(self, command: list[str]) -> None:
        server = self.start(command)
        self.servers.append(server)
        told = [""]
        while "listens on" not in told[-1]:
            told.append(server.stdout.readline())
            assert told[-1], "".join(told)

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self) -> None:
        """Confirm that everything was used, and has ended."""
        assert not self.unnamed, f"no command names {self.unnamed}"
        for server in self.servers:
            rest, _ = server.communicate(timeout=60)
            assert server.returncode == 0, rest


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_does_what_it_shows(section, tmp_path, runtime):
    session = Session(tmp_path)
    try:
        for block in section.blocks:
            session.play(block)
        session.end()
    finally:
        for server in session.servers:
            server.kill()
            server.communicate()
    assert not list(runtime.glob("*.json")), "the section leaves a server behind"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_says_what_it_is(document):
    for section in sections(document):
        for block in section.blocks:
            assert block.language, f"a block in '{section.title}' has no language: {block.text}"


def prose(document: Path) -> str:
    """Return a document without its code."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(document: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in words}


@pytest.mark.parametrize("document", markdown(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"(?!" + OWN + r")(https?|mailto):", link):
            continue
        path, _, anchor = link.partition("#")
        start = ROOT if path.startswith(OWN) else document.parent
        target = start / path.removeprefix(OWN) if path else document
        known = target.exists() and (not anchor or anchor in anchors(target))
        if not known:
            lost.append(link)
    assert not lost


def test_the_links_of_the_readme_work_on_the_page_of_the_package():
    links = re.findall(r"\]\(([^)\s]+)\)", prose(ROOT / "README.md"))
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_the_readme_names_every_exception():
    table = (ROOT / "README.md").read_text().partition("## When things go wrong")[2]
    named = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    errors = vars(bgpy.errors).values()
    known = {error.__name__ for error in errors if isinstance(error, type)}
    assert named == known - {"BgpyError"}
