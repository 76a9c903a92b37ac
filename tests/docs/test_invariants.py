"""The invariants of ARCHITECTURE.md that the sources themselves can be asked about."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CRATES = ROOT / "crates"
PACKAGE = ROOT / "python" / "bgpy"
LINES_MAX = 450

# Everything in Python that turns bytes into objects and may run code while it does.
UNPICKLERS = {"load", "loads", "Unpickler", "_Unpickler"}
PICKLERS = {"pickle", "_pickle", "cloudpickle", "dill", "marshal", "shelve"}


def code(source: Path) -> str:
    """Return a Rust file without its unit tests and comments."""
    tests = re.compile(r"^#\[cfg\(test\)\]\n(pub\S* )?mod tests \{.*?^\}", re.DOTALL | re.MULTILINE)
    return re.sub(r"//.*", "", tests.sub("", source.read_text()))


def rust(crate: str) -> list[Path]:
    sources = sorted((CRATES / crate / "src").rglob("*.rs"))
    assert sources
    return sources


def named_in_rust(pattern: str, *crates: str) -> set[str]:
    """Return the files whose code, comments apart, matches."""
    return {
        str(source.relative_to(CRATES))
        for crate in crates
        for source in rust(crate)
        if re.search(pattern, code(source))
    }


def test_one_place_in_rust_unpickles():
    texts = "|".join(UNPICKLERS | PICKLERS)
    named = named_in_rust(rf'"({texts})"', "bgpy-python", "bgpy-cli", "bgpy", "bgpy-proto")
    assert named == {"bgpy-python/src/codec/pickle.rs"}


def names(node: ast.AST) -> set[str]:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name):
            return {name}
    return set()


def test_nothing_in_python_unpickles():
    for source in PACKAGE.rglob("*.py"):
        tree = ast.parse(source.read_text())
        assert not UNPICKLERS & set().union(*map(names, ast.walk(tree))), source


def test_only_what_a_session_delivered_can_be_unpickled():
    signature = re.compile(r"pub fn loads<'py>\((.*?)\)", re.DOTALL)
    (loads,) = signature.findall(code(CRATES / "bgpy-python/src/codec/pickle.rs"))
    assert "message: Delivered" in loads
    delivered = code(CRATES / "bgpy-proto/src/delivered.rs")
    assert "pub(crate) fn new" in delivered
    assert "pub fn new" not in delivered
    assert not re.search(r"derive\([^)]*(Clone|Default|Deserialize)", delivered)
    made = named_in_rust(r"\bDelivered(::new\(| \{)", "bgpy-proto", "bgpy", "bgpy-python")
    # Of the sessions: the server's, what a client waits for, and the exception of a failure.
    sessions = {f"bgpy-proto/src/{part}.rs" for part in ("server", "pending", "failure")}
    assert made == sessions | {"bgpy-proto/src/delivered.rs"}
    handed_over = named_in_rust(r"\bhanded_over\(", "bgpy-proto", "bgpy", "bgpy-cli", "bgpy-python")
    first_tasks = {source for source in handed_over if source.startswith("bgpy/src/durable/")}
    assert first_tasks
    assert handed_over == first_tasks | {"bgpy-proto/src/delivered.rs"}


def test_errors_of_the_core_name_no_options_of_one_language():
    core = [*(CRATES / "bgpy/src/error").glob("*.rs"), CRATES / "bgpy-proto/src/error.rs"]
    for source in core:
        # A whole command of the shell, in backticks, helps everybody.
        texts = re.sub(r"`[^`]*`", "", code(source))
        assert not re.search(r"=True|=False|\w=\.\.\.| --[a-z]", texts), source


def test_the_extension_module_has_layers():
    above = {"exceptions.rs": "codec|serve|face", "codec": "serve|face", "serve": "face"}
    root = CRATES / "bgpy-python/src"
    for layer, others in above.items():
        sources = [root / layer] if layer.endswith(".rs") else list((root / layer).glob("*.rs"))
        assert sources
        for source in sources:
            assert not re.search(rf"crate::({others})\b", code(source)), source


def test_the_protocol_has_no_io_clock_thread_or_python():
    outside = r"std::(net|thread|time|fs|process|env|os|sync::(mpsc|Mutex|Condvar))\b|std::\{"
    assert not named_in_rust(outside, "bgpy-proto")
    assert not named_in_rust(r"std::io::(?!IoSlice)", "bgpy-proto")
    assert not named_in_rust(r"\b(Instant|SystemTime|pyo3|Python)\b", "bgpy-proto")


@pytest.fixture(scope="module")
def dependencies() -> dict[str, set[str]]:
    """Return what each package of the lock file needs, directly or not, tests included."""
    packages = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    needs = {
        package["name"]: {need.split()[0] for need in package.get("dependencies", [])}
        for package in packages
    }
    while True:
        more = {
            name: direct.union(*(needs.get(need, set()) for need in direct))
            for name, direct in needs.items()
        }
        if more == needs:
            return needs
        needs = more


@pytest.mark.parametrize(
    ("crate", "others"),
    [
        ("bgpy-proto", {"bgpy", "bgpy-cli", "bgpy-python", "pyo3", "mio", "socket2", "libc"}),
        ("bgpy", {"bgpy-cli", "bgpy-python", "pyo3"}),
        ("bgpy-cli", {"bgpy-python", "pyo3"}),
    ],
)
def test_dependencies_point_one_way(crate, others):
    manifest = tomllib.loads((CRATES / crate / "Cargo.toml").read_text())
    assert not others & manifest["dependencies"].keys()


@pytest.mark.parametrize("crate", ["bgpy-proto", "bgpy", "bgpy-cli"])
def test_python_is_not_needed_below_the_extension(crate, dependencies):
    assert "pyo3" not in dependencies[crate]
    assert "pyo3" in dependencies["bgpy-python"]


def test_no_file_is_a_giant():
    folders = [*CRATES.glob("*/src"), ROOT / "python", ROOT / "benches", ROOT / "examples"]
    sources = [
        source
        for folder in [*folders, ROOT / "fuzz" / "src"]
        for kind in ("*.rs", "*.py", "*.pyi")
        for source in folder.rglob(kind)
        # Most of it is docstrings, which are written by a test.
        if source.name != "_bgpy.pyi"
    ]
    lines = {
        str(source.relative_to(ROOT)): len(source.read_text().splitlines()) for source in sources
    }
    assert {name: count for name, count in lines.items() if count > LINES_MAX} == {}


def test_each_invariant_names_tests_that_exist():
    table = (ROOT / "ARCHITECTURE.md").read_text().partition("## Invariants")[2]
    rows = re.findall(r"^\| .*? \| (\[.*) \|$", table, re.MULTILINE)
    assert rows
    for row in rows:
        for path, names in re.findall(r"\]\((.*?)\): ([^;]*)", row):
            text = (ROOT / path).read_text()
            tests = re.findall(r"`(\w+)`", names)
            assert tests, row
            assert [name for name in tests if not re.search(rf"(def|fn) {name}\(", text)] == []


UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "s": 1000}


def test_the_limits_in_security_are_those_of_the_code():
    limits = (CRATES / "bgpy-proto" / "src" / "limits.rs").read_text()
    code = dict(re.findall(r"pub const (\w+): \w+ = ([\d_]+(?: << \d+)?);", limits))
    security = (ROOT / "SECURITY.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([\d ]+) (\w+) \|", security, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^\| `[A-Z_]+` ", security, re.MULTILINE)) > 0
    for name, number, unit in rows:
        base, _, shift = code[name].replace("_", "").partition(" << ")
        told = int(number.replace(" ", "")) * UNITS.get(unit, 1)
        assert told == int(base) << int(shift or 0), name
