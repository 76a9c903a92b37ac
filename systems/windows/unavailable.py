"""The tests that cannot run on Wine or Windows, and a plugin of pytest that skips them."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

LIST = Path(__file__).with_name("unavailable.toml")
ROOT = Path(__file__).resolve().parents[2]


def reasons(kind: str) -> dict[str, str]:
    """Return the tests of a kind, ``rust`` or ``python``, with the reason for each."""
    groups = tomllib.loads(LIST.read_text(encoding="utf-8"))[kind]
    return {name: group["reason"] for group in groups for name in group["tests"]}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave alone whole files that need what is not there, which they may import."""
    name = collection_path.relative_to(ROOT).as_posix()
    return True if name in reasons("python") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip single tests, each with its reason."""
    import pytest

    known = reasons("python")
    for item in items:
        name = item.nodeid.replace("\\", "/")
        for pattern, reason in known.items():
            if fnmatchcase(name, pattern.replace("[", "[[]")) or name.startswith(f"{pattern}["):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_report_header() -> list[str]:
    """Name the files that are not read at all."""
    whole = {name: why for name, why in reasons("python").items() if name.endswith(".py")}
    return [f"not read: {name}: {why}" for name, why in whole.items()]
