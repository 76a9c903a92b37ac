"""Where things are: what the scripts in this directory install and build, all below .systems."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".systems" / "windows"

# Its 64-bit Windows with GNU tools: the only one whose linker is a package of Debian.
TARGET = "x86_64-pc-windows-gnu"
MINGW = "x86_64-w64-mingw32"

# The oldest CPython that bgpy supports. Later ones start on Wine 8 as well, but there
# platform.platform() ends them.
PYTHON_VERSION = "3.11"

PYTHON = PLACE / "python"
PACKAGES = PYTHON / "Lib" / "site-packages"
PREFIX = PLACE / "prefix"
DOWNLOADS = PLACE / "downloads"
WHEELS = PLACE / "dist"
BUILD = PLACE / "target"

# Where Debian keeps Wine, which is not on PATH.
WINE = Path("/usr/lib/wine")

# Cargo and rustc of Debian, with the sources of the standard library: the toolchain that built the
# rest of the project may have no standard library for Windows.
CARGO = Path("/usr/bin/cargo")
RUSTC = Path("/usr/bin/rustc")


def cargo_environment() -> dict[str, str]:
    """Return the environment in which Cargo builds for Windows, standard library included."""
    return os.environ | {
        "PATH": f"/usr/bin{os.pathsep}{os.environ['PATH']}",
        "CARGO": str(CARGO),
        "RUSTC": str(RUSTC),
        "RUSTC_BOOTSTRAP": "1",
        "CARGO_UNSTABLE_BUILD_STD": "std,panic_abort,panic_unwind",
        "CARGO_BUILD_TARGET": TARGET,
        "CARGO_TARGET_DIR": str(BUILD),
        f"CARGO_TARGET_{TARGET.upper().replace('-', '_')}_LINKER": f"{MINGW}-gcc",
        # With link-time optimisation the build takes several times as long.
        "CARGO_PROFILE_RELEASE_LTO": "off",
        "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    }


def wine_environment() -> dict[str, str]:
    """Return the environment in which programs for Windows run, with a prefix of their own."""
    # Wine makes the access list of a file from its mode: without this, everybody may read it.
    os.umask(0o077)
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    return kept | {
        "PATH": f"{WINE}{os.pathsep}{os.environ['PATH']}",
        "WINEPREFIX": str(PREFIX),
        "WINEDEBUG": os.environ.get("WINEDEBUG", "-all"),
        # Otherwise the prefix offers to download them.
        "WINEDLLOVERRIDES": "mscoree,mshtml=",
    }


def windows_path(path: Path) -> str:
    """Return how a program for Windows names a file of this machine."""
    return "Z:" + str(path.resolve()).replace("/", "\\")


def fail(text: str) -> None:
    """End the script loudly."""
    sys.exit(f"\n*** {text}\n")
