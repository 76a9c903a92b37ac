"""Standard output and error of a server's process."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from typing_extensions import Buffer

    class Losses(Protocol):
        """The lines that a stream has lost."""

        def add(self, lines: int, is_torn: bool, why: str, /) -> None:
            """Count lines that could not be written."""

        def tell(self) -> bool:
            """Log how many were lost; return False while that cannot be written either."""


# Errors of a file that could be written until now: its disk is full, has failed, or has become
# read-only.
NO_ROOM = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS", "ESTALE", "ENODEV", "ENXIO")
    if hasattr(errno, name)
}


class Output(io.FileIO):
    """A file whose writes do not fail when the disk is full: lines are dropped, and counted.

    Parameters
    ----------
    descriptor : int
        Descriptor of the file; it stays open.
    losses : Losses
        Counts the lines that are lost.
    """

    def __init__(self, descriptor: int, losses: Losses) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._losses = losses
        self._has_lost = False
        self._is_torn = False
        self._is_counted = False

    def write(self, data: Buffer, /) -> int:
        """Write some of the data, or drop all of it.

        Parameters
        ----------
        data : Buffer
            The bytes.

        Returns
        -------
        int
            Number of bytes written or dropped.
        """
        with memoryview(data) as view, view.cast("B") as bytes_:
            # After a loss, nothing is written before the line that reports it.
            if self._has_lost and not self._losses.tell():
                return self._lose(bytes_, "")
            self._has_lost = False
            try:
                written = super().write(bytes_)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                return self._lose(bytes_, error.strerror or "")
            self._is_counted = False
            if written:
                self._is_torn = bytes_[written - 1] != ord("\n")
            return written

    def _lose(self, lost: memoryview, why: str) -> int:
        *whole, rest = bytes(lost).split(b"\n")
        # A line that is written in pieces is counted with its first piece.
        lines = len(whole) + bool(rest) - self._is_counted
        self._is_counted = bool(rest) or (self._is_counted and not whole)
        self._losses.add(lines, self._is_torn, why)
        self._has_lost, self._is_torn = True, False
        return len(lost)


def prepare(name: str, losses: Losses) -> None:
    """Make a stream write line by line, and survive a full disk.

    Lines stay whole between the records of other threads: they are not written piece by piece, as
    with PYTHONUNBUFFERED, nor cut where a buffer is full.

    Parameters
    ----------
    name : str
        ``"stdout"`` or ``"stderr"``.
    losses : Losses
        Counts the lines that are lost.
    """
    stream = getattr(sys, name)
    # It is None if the descriptor was closed at start.
    if not isinstance(stream, io.TextIOWrapper):
        return
    stream.reconfigure(line_buffering=True, write_through=False)
    encoding, errors, newline = stream.encoding, stream.errors, None
    if sys.platform == "win32":
        if stream.isatty():
            # A console takes text from a raw stream of its own kind.
            return
        # The log is UTF-8 with the line ends of its records, whatever the code page of this user.
        encoding, errors, newline = "utf-8", "backslashreplace", "\n"
        stream.reconfigure(encoding=encoding, errors=errors, newline=newline)
    descriptor = stream.fileno()
    # Only files and terminals: a write to a pipe without a reader must fail as usual.
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISCHR(mode):
        return
    raw = Output(descriptor, losses)
    raw.name = f"<{name}>"
    output = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors=errors,
        newline=newline,
        line_buffering=True,
    )
    # Like the streams that Python itself creates.
    output.__dict__["mode"] = "w"
    stream.flush()
    setattr(sys, name, output)
    setattr(sys, f"__{name}__", output)
