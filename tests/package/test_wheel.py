"""What is installed is whole: stubs, marker, metadata, and an extension for every CPython 3."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import bgpy


def installed() -> set[str]:
    return {str(file) for file in distribution("bgpy").files or []}


def test_the_wheel_holds_stubs_and_the_typing_marker():
    wanted = {"bgpy/py.typed", "bgpy/_bgpy.pyi", "bgpy/example/tasks.py", "pytest_bgpy.py"}
    assert wanted <= installed()


def test_the_extension_is_abi3():
    extension = Path(bgpy._bgpy.__file__)
    assert ".abi3." in extension.name or extension.suffix == ".pyd"
    tags = distribution("bgpy").read_text("WHEEL") or ""
    assert "cp311-abi3" in tags


def test_the_command_is_a_program_of_its_own():
    (command,) = [file for file in distribution("bgpy").files or [] if file.stem == "bgpy"]
    with Path(command.locate()).open("rb") as program:
        assert program.read(2) != b"#!"


def test_the_version_is_one():
    assert distribution("bgpy").version == bgpy.__version__


def test_the_license_goes_along():
    assert any(file.endswith("licenses/LICENSE") for file in installed())


def test_import_needs_no_module_that_takes_long():
    """A server starts with this import."""
    slow = {"asyncio", "cloudpickle", "collections", "enum", "functools", "inspect", "re", "typing"}
    script = "import sys; before = {*sys.modules}; import bgpy; print(*({*sys.modules} - before))"
    # Without the site packages' .pth files, which import modules themselves.
    path = str(Path(bgpy.__file__).parents[1])
    printed = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({path!r}); {script}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert not slow & {*printed.split()}
