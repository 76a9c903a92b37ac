"""Keeps the inputs of each fuzz target in one file: ``corpora.py unpack|pack TARGET DIRECTORY``.

A corpus is some hundred files of a few bytes. Packed, each is its length (four bytes, little-
endian) and its bytes, one after the other in the order of their contents, so that the file
changes only as the corpus does.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from pathlib import Path

CORPORA = Path(__file__).parent / "corpora"


def unpack(packed: Path, directory: Path) -> None:
    """Write each input to a file of its own, as libFuzzer wants them."""
    directory.mkdir(parents=True, exist_ok=True)
    data = packed.read_bytes() if packed.exists() else b""
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        piece = data[at + 4 : at + 4 + length]
        (directory / hashlib.sha256(piece).hexdigest()[:40]).write_bytes(piece)
        at += 4 + length


def pack(packed: Path, directory: Path) -> None:
    """Write all inputs to one file."""
    pieces = sorted(path.read_bytes() for path in directory.iterdir())
    packed.parent.mkdir(exist_ok=True)
    packed.write_bytes(b"".join(struct.pack("<I", len(piece)) + piece for piece in pieces))


def main() -> None:
    """Do what the command line says."""
    what, target, directory = sys.argv[1:]
    {"pack": pack, "unpack": unpack}[what](CORPORA / f"{target}.packed", Path(directory))


if __name__ == "__main__":
    main()
