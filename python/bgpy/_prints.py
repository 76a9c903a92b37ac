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
        """What a stream has lost."""

        def add(self, lines: int, is_torn: bool, why: str, /) -> None:
            """Count lines that could not be written."""

        def tell(self) -> bool:
            """Say how many there were; return False while that cannot be written either."""


# What a file may answer that took everything until now: its disk is full, has failed, or must not
# be written any more.
NO_ROOM = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS", "ESTALE", "ENODEV", "ENXIO")
    if hasattr(errno, name)
}


class Output(io.FileIO):
    """A file that takes everything, and counts what is lost where its disk takes nothing.

    Parameters
    ----------
    descriptor : int
        The file, which is left open.
    losses : Losses
        Where lost lines are counted.
    """

    def __init__(self, descriptor: int, losses: Losses) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._losses = losses
        self._has_lost = False
        self._is_torn = False
        self._is_counted = False

    def write(self, data: Buffer, /) -> int:
        """Write some of the data, or lose it all.

        Parameters
        ----------
        data : Buffer
            The bytes.

        Returns
        -------
        int
            How many of them are done with.
        """
        with memoryview(data) as view, view.cast("B") as bytes_:
            # Behind word of what was lost, or not at all.
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
        # A line that comes in pieces is counted with the first of them.
        lines = len(whole) + bool(rest) - self._is_counted
        self._is_counted = bool(rest) or (self._is_counted and not whole)
        self._losses.add(lines, self._is_torn, why)
        self._has_lost, self._is_torn = True, False
        return len(lost)


def prepare(name: str, losses: Losses) -> None:
    """Have a stream written line by line, and have it survive a disk that takes nothing.

    Lines stand whole among the records of several threads: they are written neither when a buffer
    is full nor piece by piece, as with PYTHONUNBUFFERED.

    Parameters
    ----------
    name : str
        ``"stdout"`` or ``"stderr"``.
    losses : Losses
        Where lost lines are counted.
    """
    stream = getattr(sys, name)
    # None where it is closed.
    if not isinstance(stream, io.TextIOWrapper):
        return
    stream.reconfigure(line_buffering=True, write_through=False)
    descriptor = stream.fileno()
    # Who reads a pipe, and is gone, is another matter. A terminal that is gone has failed.
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISCHR(mode):
        return
    raw = Output(descriptor, losses)
    raw.name = f"<{name}>"
    output = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=True,
    )
    # As on the streams that Python makes.
    output.__dict__["mode"] = "w"
    stream.flush()
    setattr(sys, name, output)
    setattr(sys, f"__{name}__", output)
